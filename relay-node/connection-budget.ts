import type { Socket } from "node:net";

/** Keeps the process below its descriptor limit: at the limit the system would close new connections without a word. */
export interface ConnectionBudget {
  /** Counts the socket until it closes; false, and one more drop, when there is no room for it. */
  admit(socket: Socket): boolean;
  /** The socket's descriptor goes to the pump, which closes the socket object early: counted until the call of the result. */
  handOver(socket: Socket): () => void;
  readonly inUse: number;
  readonly dropped: number;
}

/** Makes a budget of `max` connections over all ports of a relay. */
export function createConnectionBudget(max: number): ConnectionBudget {
  const counted = new Set<Socket>();
  let dropped = 0;
  return {
    get inUse() {
      return counted.size;
    },
    get dropped() {
      return dropped;
    },
    admit(socket) {
      if (counted.size >= max) {
        dropped += 1;
        return false;
      }
      counted.add(socket);
      socket.once("close", onClose);
      return true;
    },
    handOver(socket) {
      socket.off("close", onClose);
      return () => void counted.delete(socket);
    },
  };

  function onClose(this: Socket): void {
    counted.delete(this);
  }
}
