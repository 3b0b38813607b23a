import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { createCarrier } from "./carrier.ts";
import { refuseTruncation } from "./truncation.ts";

/** What a TLS socket of ours is put on, so that losses and ends are told apart. */
export interface Layer {
  readonly below: Duplex;
  /** Names the TLS socket above, as soon as there is one. */
  carries(secure: TLSSocket): void;
}

/**
 * Where TLS goes for a connection of which `early` was read already. On plain TCP it works on the descriptor itself,
 * which takes half the CPU; on everything else (a TLS leg, a WebSocket) a carrier tells what Node does not: whoever
 * holds the keys of the leg could end it cleanly, and so cut the stream inside.
 */
export function layerOver(socket: Socket, early: Buffer): Layer {
  if (!isPlainTcp(socket)) {
    const carrier = createCarrier(socket, early);
    return { below: carrier.stream, carries: (secure) => carrier.carries(secure) };
  }
  if (early.length > 0) socket.unshift(early);
  const tcp: Socket & Internals = socket;
  return {
    below: socket,
    carries(secure) {
      refuseTruncation(secure);
      // Whatever destroys the TLS socket before both ends were said resets the connection: Node has no other way to ask for it.
      tcp.resetAndClosing = true;
      const settle = (): void =>
        void (tcp.resetAndClosing = !(secure.readableEnded && secure.writableFinished));
      secure.once("end", settle).once("finish", settle);
    },
  };
}

function isPlainTcp(socket: Socket): boolean {
  if (socket instanceof TLSSocket) return false;
  const { _handle: handle }: Socket & Internals = socket; // Node keeps the handle of a socket in this private field
  return typeof handle?.reset === "function";
}

interface Internals {
  readonly _handle?: { readonly reset?: unknown } | null;
  resetAndClosing?: boolean;
}
