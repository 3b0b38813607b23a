import type { Socket } from "node:net";
import { limits } from "../protocol/limits.ts";
import { resetSocket } from "./pump-reset.ts";

interface LingerOptions {
  readonly lingerMs?: number;
  /** Sockets that linger at once; one more is reset. A reset connection costs a flooder's victim no descriptor. */
  readonly max?: number;
}

/** Closes connections that are refused so that the peer gets the last bytes and a clean end. */
export interface Linger extends Disposable {
  /** Sends `lastBytes` and FIN, drops what still comes, and destroys the socket when the peer ends or time is up. */
  close(socket: Socket, lastBytes?: string): void;
  readonly count: number;
}

/**
 * Destroying a socket with unread input sends RST and cuts what was queued, so a refused peer would see neither the
 * reason nor a clean end: therefore end, drain, and only then destroy. Bounded in time and in number.
 */
export function createLinger({ lingerMs = limits.lingerMs, max = 1_024 }: LingerOptions = {}): Linger {
  const lingering = new Set<Socket>();
  return {
    get count() {
      return lingering.size;
    },
    close(socket, lastBytes) {
      if (socket.destroyed) return;
      if (lingering.size >= max) {
        resetSocket(socket);
        return;
      }
      lingering.add(socket);
      const timer = setTimeout(() => socket.destroy(), lingerMs);
      socket.on("error", ignore);
      socket.once("close", () => {
        clearTimeout(timer);
        lingering.delete(socket);
      });
      socket.end(lastBytes ?? "");
      // With FIN sent and FIN read Node closes the socket by itself.
      socket.resume();
    },
    [Symbol.dispose]() {
      for (const socket of lingering) socket.destroy();
    },
  };
}

function ignore(): void {}
