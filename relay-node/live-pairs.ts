import type { Socket } from "node:net";
import type { Joined, Leg, Pump, PumpOutcome } from "../net/pump.ts";
import { resetSocket } from "../net/pump-reset.ts";
import { formatPaired } from "../protocol/handshake.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import type { Place } from "../protocol/shares.ts";
import type { Arrival } from "./arrival.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import type { MetricsRecorder } from "./metrics.ts";
import type { Waiting } from "./waiting-room.ts";

interface LivePairsDeps {
  readonly pump: Pump;
  readonly budget: ConnectionBudget;
  readonly metrics: MetricsRecorder;
  /** A pair that was to be joined is over. */
  readonly onEnded: (pair: string) => void;
}

/** The pairs of one session, from the moment at which a half is told of its client. */
export interface LivePairs {
  /** Sends the half its 101; false when the half has gone. */
  tell(pair: string, half: Waiting, client: Arrival, demand: number): Promise<boolean>;
  /** Gives both to the pump. */
  join(pair: string, client: Waiting): void;
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

/** A half that was told of its client. */
interface Told {
  readonly half: Arrival;
  readonly leg: Leg;
  cut?: CutOutcome;
}

type CutOutcome = Parameters<LivePairs["cut"]>[1];

/** Makes the table of a session's pairs. */
export function createLivePairs({ pump, budget, metrics, onEnded }: LivePairsDeps): LivePairs {
  const told = new Map<string, Told>();
  const living = new Map<string, Joined>();
  const cuts = new Map<string, CutOutcome>();
  let finishedBytes = 0;

  function take(id: string): Told | undefined {
    const found = told.get(id);
    told.delete(id);
    return found;
  }

  function begin(id: string, client: Leg, half: Leg): void {
    const places = budget.handOver([client.socket, half.socket]);
    const joined = pump.join(client, half);
    told.delete(id);
    living.set(id, joined);
    metrics.paired(joined);
    follow(id, joined, places);
  }

  /** A pair may be idle for days: what is kept of it is here, and holds no arrival and no socket object. */
  function follow(id: string, joined: Joined, places: readonly Place[]): void {
    void joined.done.then(({ outcome, aToB, bToA }) => {
      metrics.pairEnded(joined, outcome === "cut" ? (cuts.get(id) ?? outcome) : toPairOutcome(outcome));
      budget.release(places);
      finishedBytes += aToB + bToA;
      living.delete(id);
      cuts.delete(id);
      onEnded(id);
    });
  }

  /** Ends a pair that the pump never had. */
  function giveUp(id: string, client: Socket | undefined, outcome: PairOutcome): void {
    const half = take(id)?.half.socket;
    if (half) resetSocket(half);
    if (client) resetSocket(client);
    const pair = { counts: () => ({ aToB: 0, bToA: 0 }) };
    metrics.paired(pair);
    metrics.pairEnded(pair, outcome);
  }

  return {
    async tell(id, half, client, demand) {
      told.set(id, { half: half.arrival, leg: half.watch.take() });
      if (!half.arrival.http) return !half.arrival.socket.destroyed;
      return await writeAll(
        half.arrival.socket,
        formatPaired({ pair: id, client: client.address, demand, ticketed: client.http }),
      );
    },
    join(id, { arrival: { http, socket, address }, watch }) {
      const pair = told.get(id);
      if (!pair) throw new Error(`no half was told of client ${id}`);
      const leg = watch.take();
      if (!http) return begin(id, leg, pair.leg);
      const head = formatPaired({ pair: id, client: address, demand: 0, ticketed: true });
      void writeAll(socket, head).then((sent) => {
        if (sent && pair.cut === undefined) return begin(id, leg, pair.leg);
        giveUp(id, socket, sent ? (pair.cut ?? "cut") : "reset_by_client");
        onEnded(id);
      });
    },
    untold(id) {
      return take(id)?.half;
    },
    drop(id, client, outcome) {
      client?.watch.release();
      giveUp(id, client?.arrival.socket, outcome);
    },
    cut(id, outcome) {
      const pair = told.get(id);
      if (pair) pair.cut ??= outcome;
      const joined = living.get(id);
      if (!joined) return;
      if (!cuts.has(id)) cuts.set(id, outcome);
      joined.cut();
    },
    get count() {
      return told.size + living.size;
    },
    get bytes() {
      let bytes = finishedBytes;
      for (const joined of living.values()) {
        const { aToB, bToA } = joined.counts();
        bytes += aToB + bToA;
      }
      return bytes;
    },
  };
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
