import { dialTcp } from "../net/dial.ts";
import type { Log } from "../net/log.ts";
import { RdvError } from "../protocol/errors.ts";
import type { Target } from "./target.ts";

/** Tells the operator once when an address stops answering, and once when it answers again; not for every client. */
export interface TargetWatch {
  answered(): void;
  refused(error: RdvError): void;
}

/** Makes the watch of one address; `advice` says what its silence means and what to check. */
export function createTargetWatch(label: string, advice: string, log: Log): TargetWatch {
  let down = false;
  return {
    answered() {
      if (down) log.info(`${label} answers again`);
      down = false;
    },
    refused(error) {
      if (!down) log.warn(`${label} does not answer: ${advice}`, { error: error.message });
      down = true;
    },
  };
}

/** Dials the target once and hangs up, so that a wrong port is noticed before the first client. Never rejects. */
export async function probeTarget(target: Target, watch: TargetWatch, signal: AbortSignal): Promise<void> {
  try {
    const socket = await dialTcp({ host: target.host, port: target.port, signal });
    socket.destroy();
    watch.answered();
  } catch (error) {
    if (error instanceof RdvError) watch.refused(error);
    else if (!signal.aborted) throw error;
  }
}
