import { RdvError } from "../protocol/errors.ts";
import type { KernelPump } from "./kernel/kernel-pump.ts";
import type { Log } from "./log.ts";
import { createPortablePump } from "./portable-pump.ts";
import type { Pump } from "./pump.ts";

/** What the pump holds and has seen since it was made; for metrics. */
export interface PumpStats {
  /** Pairs that live now, in the kernel pump and in the portable one. */
  readonly kernelPairs: number;
  readonly portablePairs: number;
  /** Worker threads of the kernel pump, and how often one died. */
  readonly threads: number;
  readonly workerCrashes: number;
}

/** A pump with its numbers. */
export interface MeasuredPump extends Pump {
  stats(): PumpStats;
}

interface PumpDeps {
  readonly choice: "auto" | "kernel" | "portable";
  /** Worker threads of the kernel pump; by default one a core, up to four. */
  readonly threads?: number;
  readonly log: Log;
  /** What this machine is; by default what Node says. */
  readonly system?: System;
}

interface System {
  readonly platform: string;
  readonly arch: string;
}

/**
 * Makes the pump that was asked for. `auto` takes the kernel pump where it can run, else the portable one with one
 * log line that says why. Legs that the kernel pump cannot take (TLS, Unix sockets) go to the portable one in any case.
 * @throws RdvError `unsupported` when `kernel` was asked for by hand and cannot run here.
 */
export async function createPump({
  choice,
  threads,
  log,
  system = process,
}: PumpDeps): Promise<MeasuredPump> {
  if (choice === "portable") return combine(undefined);
  const kernel = await startKernelPump(system, threads, log);
  if (typeof kernel !== "string") return combine(kernel);
  if (choice === "kernel") throw new RdvError("unsupported", `The kernel pump cannot run here: ${kernel}`);
  log.info("pump: portable, because the kernel pump cannot run here", { reason: kernel });
  return combine(undefined);
}

/** The kernel pump, or the reason why there is none. */
async function startKernelPump(
  { platform, arch }: System,
  threads: number | undefined,
  log: Log,
): Promise<KernelPump | string> {
  if (platform !== "linux") return `it needs Linux, this is ${platform}`;
  if (arch !== "x64" && arch !== "arm64") return `it needs x64 or arm64, this is ${arch}`;
  try {
    const { createKernelPump } = await import("./kernel/kernel-pump.ts");
    return await createKernelPump(threads === undefined ? { log } : { threads, log });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function combine(kernel: KernelPump | undefined): MeasuredPump {
  const portable = createPortablePump();
  return {
    kind: kernel ? "kernel" : "portable",
    join: (a, b, options) => kernel?.tryJoin(a, b, options) ?? portable.join(a, b, options),
    stats() {
      const { pairs = 0, threads = 0, crashes = 0 } = kernel?.stats() ?? {};
      return { kernelPairs: pairs, portablePairs: portable.size(), threads, workerCrashes: crashes };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([kernel?.[Symbol.asyncDispose](), portable[Symbol.asyncDispose]()]);
    },
  };
}
