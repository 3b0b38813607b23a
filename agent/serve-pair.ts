import type { Socket } from "node:net";
import type { Pump, PumpOutcome, PumpReport } from "../net/pump.ts";
import { resetSocket } from "../net/pump-reset.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import { readEarly } from "./early.ts";
import type { Enter } from "./secure/admission.ts";
import type { TargetDial } from "./target-dial.ts";

interface PairDeps {
  /** Opens a connection to the service. */
  readonly dial: TargetDial;
  readonly pump: Pump;
  /** What the client goes through first. */
  readonly enter?: Enter | undefined;
}

/** How a pair ended; `bytesIn` went from the client to the service. */
export interface PairEnd {
  readonly outcome: PairOutcome;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A client that is being served. */
export interface ServedPair {
  /** Resolves when it is over; never rejects for a peer's fault. */
  readonly end: Promise<PairEnd>;
  /** Ends it now: the dial, or later the pair. */
  cut(): void;
}

/** What there is to cut at present. */
interface Life {
  stage: { cut(): void };
}

/**
 * Serves one client that has come: lets it in, dials the target, only now, and joins the two. A pair may be idle for days, so
 * nothing that lives as long holds a socket object: neither a closure nor a suspended function that has seen one.
 */
export function servePair(client: Socket, first: Buffer, deps: PairDeps): ServedPair {
  const life: Life = { stage: { cut() {} } };
  return { end: serve(client, first, deps, life), cut: () => life.stage.cut() };
}

async function serve(socket: Socket, first: Buffer, deps: PairDeps, life: Life): Promise<PairEnd> {
  const { dial, pump, enter } = deps;
  const stop = new AbortController();
  let cut = false;
  life.stage = {
    cut() {
      cut = true;
      stop.abort();
    },
  };
  const client = enter === undefined ? socket : await enter(socket, first, stop.signal);
  if (client === undefined) return { outcome: cut ? "cut" : "not_secured", bytesIn: 0, bytesOut: 0 };
  const early = readEarly(client, enter === undefined ? first : Buffer.alloc(0), stop);
  const service = await dial(stop.signal).catch((error: unknown) => {
    resetSocket(client);
    throw error;
  });
  if (service === undefined) {
    resetSocket(client);
    const why = cut ? "cut" : "reset_by_client";
    return { outcome: stop.signal.aborted ? why : "target_refused", bytesIn: 0, bytesOut: 0 };
  }
  const joined = pump.join(
    { socket: client, ...early.take() },
    { socket: service, early: Buffer.alloc(0), ended: false },
  );
  life.stage = joined;
  if (cut) joined.cut();
  // Returned and not awaited: the function is over, and its sockets with it.
  return joined.done.then(pairEnd);
}

const outcomes: Readonly<Record<PumpOutcome, PairOutcome>> = {
  closed: "closed",
  reset_by_a: "reset_by_client",
  reset_by_b: "reset_by_agent",
  stalled: "stalled",
  half_closed_timeout: "half_closed_timeout",
  cut: "cut",
};

function pairEnd(report: PumpReport): PairEnd {
  return { outcome: outcomes[report.outcome], bytesIn: report.aToB, bytesOut: report.bToA };
}
