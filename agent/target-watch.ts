import type { Log } from "../net/log.ts";
import type { RdvError } from "../protocol/errors.ts";

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
