import type { Socket } from "node:net";

/** Keeps the process below its descriptor limit: at the limit the system would close new connections without a word. */
export interface ConnectionBudget {
  /** Counts the socket until it closes; false, and one more drop, when there is no room for it. */
  admit(socket: Socket): boolean;
  /**
   * The sockets' descriptors go to the pump, which closes the socket objects early: how many of them are counted until
   * `release`. A TLS stream was not admitted itself: the socket below it is counted until it closes, as before.
   */
  handOver(sockets: readonly Socket[]): number;
  /** So many connections that were handed over are closed. */
  release(count: number): void;
  /** A session's listener takes a descriptor, too, until the one call of the result. */
  hold(): () => void;
  /** Connections, without listeners. */
  readonly inUse: number;
  readonly dropped: number;
}

/** Makes a budget of `max` connections and listeners over all ports of a relay. */
export function createConnectionBudget(max: number): ConnectionBudget {
  let inUse = 0;
  let listeners = 0;
  let dropped = 0;
  return {
    get inUse() {
      return inUse;
    },
    get dropped() {
      return dropped;
    },
    admit(socket) {
      if (inUse + listeners >= max) {
        dropped += 1;
        return false;
      }
      inUse += 1;
      socket.once("close", onClose);
      return true;
    },
    hold() {
      listeners += 1;
      return () => void (listeners -= 1);
    },
    handOver(sockets) {
      // A socket that was lost before has been told of by its own "close".
      const counted = sockets.filter((one) => !one.closed && one.listenerCount("close", onClose) > 0);
      for (const socket of counted) socket.off("close", onClose);
      return counted.length;
    },
    release: (count) => void (inUse -= count),
  };

  function onClose(): void {
    inUse -= 1;
  }
}
