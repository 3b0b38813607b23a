import type { Socket } from "node:net";
import type { Joined, Leg, Pump, PumpOutcome } from "../net/pump.ts";
import { formatPaired } from "../protocol/handshake.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import type { Arrival } from "./arrival.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import type { MetricsRecorder } from "./metrics.ts";
import type { Waiting } from "./waiting-room.ts";

interface LivePairsDeps {
  readonly pump: Pump;
  readonly budget: ConnectionBudget;
  readonly metrics: MetricsRecorder;
}

/** The pairs of one session, from the moment at which a half is told of its client. */
export interface LivePairs {
  /** Sends the half its 101; false when the half has gone. */
  tell(pair: string, half: Waiting, client: Arrival, demand: number): Promise<boolean>;
  /** Gives both to the pump, and resolves when the pair has ended. */
  join(pair: string, client: Waiting): Promise<void>;
  /** Takes back a half that could not be told. */
  untold(pair: string): Arrival | undefined;
  /** Resets a half that was told, and its client. */
  drop(pair: string, client: Waiting | undefined, outcome: PairOutcome): void;
  /** Resets both sides; the pair then ends with this outcome, unless it had ended before. */
  cut(pair: string, outcome: "cut" | "budget_used"): void;
  readonly count: number;
  /** Bytes that all pairs have moved, both directions, the living included. */
  readonly bytes: number;
}

interface Pair {
  readonly half: Arrival;
  readonly leg: Leg;
  joined?: Joined;
  cut?: "cut" | "budget_used";
}

/** Makes the table of a session's pairs. */
export function createLivePairs({ pump, budget, metrics }: LivePairsDeps): LivePairs {
  const pairs = new Map<string, Pair>();
  let finishedBytes = 0;

  /** From here on the pair counts; the result ends it. */
  function begin(pair: Pair, client: Socket): (outcome: PairOutcome) => void {
    const ended = metrics.paired(() => pair.joined?.counts() ?? { aToB: 0, bToA: 0 });
    const releases = [budget.handOver(client), budget.handOver(pair.half.socket)];
    return (outcome) => {
      ended(outcome);
      for (const release of releases) release();
    };
  }

  async function run(id: string, pair: Pair, { arrival, watch }: Waiting): Promise<PairOutcome> {
    const leg = watch.take();
    const { http, address, socket } = arrival;
    const told = !http || (await writeAll(socket, formatPaired({ pair: id, client: address, demand: 0 })));
    if (told && pair.cut === undefined) {
      pair.joined = pump.join(leg, pair.leg);
      const { outcome } = await pair.joined.done;
      return outcome === "cut" ? (pair.cut ?? outcome) : toPairOutcome(outcome);
    }
    resetBoth(pair.half.socket, socket);
    return told ? (pair.cut ?? "cut") : "reset_by_client";
  }

  return {
    async tell(id, half, client, demand) {
      pairs.set(id, { half: half.arrival, leg: half.watch.take() });
      return await writeAll(half.arrival.socket, formatPaired({ pair: id, client: client.address, demand }));
    },
    async join(id, client) {
      const pair = pairs.get(id);
      if (!pair) throw new Error(`no half was told of client ${id}`);
      const end = begin(pair, client.arrival.socket);
      end(await run(id, pair, client));
      finishedBytes += bytesOf(pair);
      pairs.delete(id);
    },
    untold(id) {
      const pair = pairs.get(id);
      pairs.delete(id);
      return pair?.half;
    },
    drop(id, client, outcome) {
      const pair = pairs.get(id);
      pairs.delete(id);
      client?.watch.release();
      resetBoth(pair?.half.socket, client?.arrival.socket);
      metrics.paired(() => ({ aToB: 0, bToA: 0 }))(outcome);
    },
    cut(id, outcome) {
      const pair = pairs.get(id);
      if (pair) pair.cut ??= outcome;
      pair?.joined?.cut();
    },
    get count() {
      return pairs.size;
    },
    get bytes() {
      return [...pairs.values()].reduce((sum, pair) => sum + bytesOf(pair), finishedBytes);
    },
  };
}

function bytesOf({ joined }: Pair): number {
  const { aToB, bToA } = joined?.counts() ?? { aToB: 0, bToA: 0 };
  return aToB + bToA;
}

/** Writes and waits until the kernel has it all; false when the connection was lost before. */
async function writeAll(socket: Socket, text: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.write(text, "latin1", (error) => resolve(!error));
  return await promise;
}

/** The pump's words in those of a relay, where leg a is the client and leg b the agent. */
function toPairOutcome(outcome: PumpOutcome): PairOutcome {
  if (outcome === "reset_by_a") return "reset_by_client";
  return outcome === "reset_by_b" ? "reset_by_agent" : outcome;
}

function resetBoth(half: Socket | undefined, client: Socket | undefined): void {
  half?.resetAndDestroy();
  client?.resetAndDestroy();
}
