import type { PumpStats } from "../net/create-pump.ts";
import type { PumpCounts, PumpKind } from "../net/pump.ts";
import type { DirectMiss } from "../protocol/connect.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { HalfOutcome, PairOutcome } from "../protocol/outcomes.ts";

/** Which half of a pair a connection is. */
export type Side = "agent" | "client";

/** Counters of a relay since its start. */
export interface RelayCounters {
  readonly accepted: Readonly<Record<"shared" | "session", number>>;
  readonly pairsTotal: number;
  /** Ends of pairs by outcome. */
  readonly pairEnds: ReadonlyMap<PairOutcome, number>;
  /** Ends of connections that were never paired, by `side outcome`. */
  readonly unpairedEnds: ReadonlyMap<`${Side} ${HalfOutcome}`, number>;
  /** Clients that came with a ticket, by why they did not come directly; `unsaid` when they do not say. */
  readonly ticketedClients: ReadonlyMap<DirectMiss | "unsaid", number>;
  /** HTTP refusals on the shared port by error code. */
  readonly refused: ReadonlyMap<ErrorCode, number>;
  /** TLS handshakes that were not begun, because their sources had too many for nothing. */
  readonly handshakesRefused: number;
  /** Bytes of all pairs, the living included: client to agent, and agent to client. */
  readonly bytes: PumpCounts;
}

/** Everything that a relay tells about itself. */
export interface RelayMetrics extends RelayCounters {
  readonly sessions: number;
  readonly halvesWaiting: number;
  readonly clientsWaiting: number;
  readonly pairs: number;
  /** Connections open now on all ports, those of pairs included. */
  readonly connections: number;
  /** Connections closed at once because the descriptors would not have sufficed. */
  readonly dropped: number;
  readonly pump: PumpKind;
  readonly pumped: Pick<PumpStats, "kernelPairs" | "portablePairs">;
  /** 99th percentile of the event loop's delay since the last load report, in milliseconds. */
  readonly lagMs: number;
  readonly descriptors: number;
  readonly maxDescriptors: number;
}

/** Takes note of what happens; every connection that is accepted is ended by exactly one call. */
export interface MetricsRecorder {
  accepted(port: "shared" | "session"): void;
  refused(code: ErrorCode): void;
  handshakeRefused(): void;
  /** A client's ticket was found good. */
  ticketedClient(direct: DirectMiss | undefined): void;
  unpaired(side: Side, outcome: HalfOutcome): void;
  /** The pair lives … */
  paired(pair: Counted): void;
  /** … until it has ended. */
  pairEnded(pair: Counted, outcome: PairOutcome): void;
  counters(): RelayCounters;
}

/** A pair whose bytes are counted. */
interface Counted {
  counts(): PumpCounts;
}

export function createMetricsRecorder(): MetricsRecorder {
  const accepted = { shared: 0, session: 0 };
  const pairEnds = new Map<PairOutcome, number>();
  const unpairedEnds = new Map<`${Side} ${HalfOutcome}`, number>();
  const ticketedClients = new Map<DirectMiss | "unsaid", number>();
  const refused = new Map<ErrorCode, number>();
  const living = new Set<Counted>();
  let finished: PumpCounts = { aToB: 0, bToA: 0 };
  let pairsTotal = 0;
  let handshakesRefused = 0;
  return {
    accepted(port) {
      accepted[port] += 1;
    },
    refused: (code) => count(refused, code),
    handshakeRefused: () => void (handshakesRefused += 1),
    ticketedClient: (direct) => count(ticketedClients, direct ?? "unsaid"),
    unpaired: (side, outcome) => count(unpairedEnds, `${side} ${outcome}`),
    paired(pair) {
      pairsTotal += 1;
      living.add(pair);
    },
    pairEnded(pair, outcome) {
      if (!living.delete(pair)) return;
      finished = sum(finished, pair.counts());
      count(pairEnds, outcome);
    },
    counters: () => ({
      accepted,
      pairsTotal,
      pairEnds,
      unpairedEnds,
      ticketedClients,
      refused,
      handshakesRefused,
      bytes: [...living].reduce((total, pair) => sum(total, pair.counts()), finished),
    }),
  };
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sum(one: PumpCounts, other: PumpCounts): PumpCounts {
  return { aToB: one.aToB + other.aToB, bToA: one.bToA + other.bToA };
}
