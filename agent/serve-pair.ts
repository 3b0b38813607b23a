import type { Socket } from "node:net";
import { dialTcp } from "../net/dial.ts";
import type { Pump, PumpOutcome, PumpReport } from "../net/pump.ts";
import { RdvError } from "../protocol/errors.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import { readEarly } from "./early.ts";
import type { TargetWatch } from "./target-watch.ts";
import type { Target } from "./target.ts";

interface PairDeps {
  readonly target: Target;
  readonly watch: TargetWatch;
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
  const service = await dialTarget(deps, early.gone);
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

/** A connection to the target; undefined when it refuses, the client has gone or the pair is cut. */
async function dialTarget(
  { target, watch, signal }: PairDeps,
  gone: AbortSignal,
): Promise<Socket | undefined> {
  try {
    const service = await dialTcp({
      host: target.host,
      port: target.port,
      signal: AbortSignal.any([signal, gone]),
    });
    watch.answered();
    return service;
  } catch (error) {
    if (error instanceof RdvError) watch.refused(error);
    else if (!signal.aborted && !gone.aborted) throw error;
    return undefined;
  }
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
