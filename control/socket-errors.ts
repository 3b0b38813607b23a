import { RdvError } from "../protocol/errors.ts";
import type { ObjectSocket } from "./platform.ts";

/** Runs `parse`; a message that is none of the protocol closes the socket, with the reason, and gives undefined. */
export function refuseSignal<T>(socket: ObjectSocket, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    // RFC 6455 section 7.4.1: 1009 message too big, 1008 policy violation.
    socket.close(error.code === "too_large" ? 1_009 : 1_008, error.message);
    return undefined;
  }
}
