import { dialTcp } from "../net/dial.ts";
import type { Log } from "../net/log.ts";
import { RdvError } from "../protocol/errors.ts";
import type { Target } from "./target.ts";

/** Tells the operator once when the target stops answering, and once when it answers again; not for every client. */
export interface TargetWatch {
  answered(): void;
  refused(error: RdvError): void;
}

/** Makes the watch of one target. */
export function createTargetWatch(target: Target, log: Log): TargetWatch {
  let down = false;
  return {
    answered() {
      if (down) log.info(`${target.label} answers again`);
      down = false;
    },
    refused(error) {
      if (!down)
        log.warn(
          `${target.label} does not answer, so clients are turned away; check that the service runs and listens there`,
          {
            error: error.message,
          },
        );
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
