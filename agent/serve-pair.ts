import type { Socket } from "node:net";
import type { Pump, PumpOutcome, PumpReport } from "../net/pump.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import { readEarly } from "./early.ts";
import type { TargetDial } from "./target-dial.ts";

interface PairDeps {
  /** Opens a connection to the service. */
  readonly dial: TargetDial;
  readonly pump: Pump;
  /** Cuts the pair. */
  readonly signal: AbortSignal;
}

/** How a pair ended; `bytesIn` went from the client to the service. */
export interface PairEnd {
  readonly outcome: PairOutcome;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Serves one client that has come: dials the target, only now, and joins the two. Never rejects for a peer's fault. */
export async function servePair(client: Socket, first: Buffer, deps: PairDeps): Promise<PairEnd> {
  const early = readEarly(client, first);
  const service = await deps.dial(AbortSignal.any([deps.signal, early.gone]));
  if (service === undefined) {
    client.resetAndDestroy();
    return { outcome: whyNotServed(early.gone, deps.signal), bytesIn: 0, bytesOut: 0 };
  }
  const joined = deps.pump.join(
    { socket: client, ...early.take() },
    { socket: service, early: Buffer.alloc(0), ended: false },
  );
  const cut = (): void => joined.cut();
  deps.signal.addEventListener("abort", cut, { once: true });
  if (deps.signal.aborted) cut();
  const report = await joined.done;
  deps.signal.removeEventListener("abort", cut);
  return pairEnd(report);
}

function whyNotServed(gone: AbortSignal, cut: AbortSignal): PairOutcome {
  if (gone.aborted) return "reset_by_client";
  return cut.aborted ? "cut" : "target_refused";
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
