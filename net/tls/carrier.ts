import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { limits } from "../../protocol/limits.ts";
import { resetSocket } from "../pump-reset.ts";

/** What a TLS socket is put on: the bytes of another socket, with its losses and its end told apart. */
export interface Carrier {
  readonly stream: Duplex;
  /** Names the TLS socket above, as soon as there is one. */
  carries(secure: TLSSocket): void;
}

/**
 * Carries TLS over `socket`, beginning with the bytes in `early`. Node shows the end of a connection that was cut as
 * the end of the TLS stream; here only the peer's close_notify is one (RFC 8446 section 6.1), and every other end
 * destroys the TLS socket with an error. A TLS socket that is destroyed before both ends were said resets the connection.
 */
export function createCarrier(socket: Socket, early: Buffer): Carrier {
  let first = early;
  let secure: TLSSocket | undefined;
  let broken: Error | undefined;
  const stream = new Duplex({
    allowHalfOpen: true,
    // The TLS socket above destroys it: Node would destroy that one with the stream, and what its reader has not taken.
    autoDestroy: false,
    read() {
      // Not before it is asked for: what lies in the stream when TLS is put on it would be taken twice.
      const bytes = first;
      first = none;
      if (bytes.length === 0 || stream.push(bytes)) socket.resume();
    },
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      close(socket, secure !== undefined && isComplete(secure));
      done(error);
    },
  });

  function lose(error: Error): void {
    secure?.destroy(error);
    stream.destroy();
  }

  socket.pause();
  socket.on("data", (chunk: Buffer) => {
    if (!stream.push(chunk)) socket.pause();
  });
  socket.once("end", () => void stream.push(null));
  socket.once("error", (error) => void (broken = error));
  socket.once("close", () => {
    if (!socket.readableEnded || !socket.writableFinished)
      lose(broken ?? new Error("the connection was lost"));
  });
  // Registered before the TLS socket's own listener, which would take it for a clean end.
  stream.once("end", () => {
    if (secure !== undefined && !hasEnded(secure)) lose(new Error("the connection was cut off"));
  });
  stream.on("error", (error) => secure?.destroy(error));
  return { stream, carries: (tls) => void (secure = tls) };
}

const none = Buffer.alloc(0);

/** Both sides have said that they are done. */
function isComplete(secure: TLSSocket): boolean {
  return hasEnded(secure) && secure.writableFinished;
}

/** The peer has said close_notify. `readableEnded` comes only when its last byte has been read. */
function hasEnded(secure: TLSSocket): boolean {
  const { _readableState: state } = secure as TLSSocket & Internals; // Node has no public name for it
  return state.ended;
}

interface Internals {
  readonly _readableState: { readonly ended: boolean };
}

/** The peer's FIN stands right behind its close_notify: with a little patience the connection closes cleanly. */
function close(socket: Socket, complete: boolean): void {
  if (!complete) return resetSocket(socket);
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), limits.lingerMs);
  socket.once("close", () => clearTimeout(timer));
  socket.once("end", () => socket.destroy());
  if (socket.readableEnded) socket.destroy();
  else socket.resume();
}
