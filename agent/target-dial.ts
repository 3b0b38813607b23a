import type { Socket } from "node:net";
import { dialTcp } from "../net/dial.ts";
import { RdvError } from "../protocol/errors.ts";
import type { TargetWatch } from "./target-watch.ts";
import type { Target } from "./target.ts";

/** Opens a connection to the one target there is; undefined when it refuses or `signal` aborts. */
export type TargetDial = (signal: AbortSignal) => Promise<Socket | undefined>;

/**
 * Makes the dialer of a target, which tells `watch` how each dial went. `localhost` is dialled where it answered last:
 * that saves each client the name lookup, and the attempt at the family on which nothing listens.
 */
export function createTargetDial(target: Target, watch: TargetWatch): TargetDial {
  let known: string | undefined;

  async function dial(signal: AbortSignal): Promise<Socket> {
    const { host, port, addresses } = target;
    if (known !== undefined) {
      const socket = await dialTcp({ host: known, port, signal }).catch((error: unknown) => {
        if (!(error instanceof RdvError)) throw error;
        known = undefined;
      });
      if (socket) return socket;
    }
    const socket = await dialTcp({ host, port, signal, addresses });
    if (host === "localhost") known = socket.remoteAddress;
    return socket;
  }

  return async (signal) => {
    try {
      const socket = await dial(signal);
      watch.answered();
      return socket;
    } catch (error) {
      if (error instanceof RdvError) watch.refused(error);
      else if (!signal.aborted) throw error;
      return undefined;
    }
  };
}
