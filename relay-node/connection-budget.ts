import type { Socket } from "node:net";

/** Keeps the process below its descriptor limit: at the limit the system would close new connections without a word. */
export interface ConnectionBudget {
  /** Counts the socket until it closes; false, and one more drop, when there is no room for it. */
  admit(socket: Socket): boolean;
  /**
   * The socket's descriptor goes to the pump, which closes the socket object early: counted until the call of the
   * result. A TLS stream was not admitted itself: the socket below it is counted until it closes, as before.
   */
  handOver(socket: Socket): () => void;
  /** A session's listener takes a descriptor, too, until the one call of the result. */
  hold(): () => void;
  /** Connections, without listeners. */
  readonly inUse: number;
  readonly dropped: number;
}

/** Makes a budget of `max` connections and listeners over all ports of a relay. */
export function createConnectionBudget(max: number): ConnectionBudget {
  const admitted = new WeakSet<Socket>();
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
      admitted.add(socket);
      socket.once("close", release);
      return true;
    },
    hold() {
      listeners += 1;
      return () => void (listeners -= 1);
    },
    handOver(socket) {
      // A socket that was lost before is told of by its own "close".
      if (socket.closed || !admitted.has(socket)) return ignore;
      socket.off("close", release);
      return release;
    },
  };

  /** Keeps no socket: the pump's pairs would hold the memory of socket objects that Node has closed. */
  function release(): void {
    inUse -= 1;
  }
}

function ignore(): void {}
