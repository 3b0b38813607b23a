import type { Socket } from "node:net";
import { closeEarlyPipe, type EarlyPipe, openEarlyPipe, sentAtOnce } from "./early-bytes.ts";
import type { Libc } from "./libc.ts";
import type { Leg } from "../pump.ts";

/** A leg on its way out of Node: the descriptor is there, and Node still has the socket. */
export interface Departure {
  readonly fd: number;
  /** For bytes that may be too many for the other leg's socket to take at once. */
  readonly pipe: EarlyPipe | undefined;
  /**
   * Takes the socket from Node, and gives what was read from it. Closing one of two descriptors of a socket sends
   * nothing: the peer sees no change.
   */
  complete(): Buffer;
  /** Gives the descriptors back; the leg is as it was. */
  undo(): void;
}

/**
 * Prepares a leg to leave Node. Returns undefined when it cannot: it is not plain TCP, has gone, has writes that are
 * not in the kernel yet, or no descriptor is free.
 */
export function prepareDeparture({ socket, early }: Leg, libc: Libc): Departure | undefined {
  const handle = handleOf(socket);
  if (handle === undefined || !isQuiet(socket)) return undefined;
  const earlyBytes = early.length + socket.readableLength;
  const fd = libc.duplicate(handle.fd);
  const pipe = earlyBytes > sentAtOnce ? openEarlyPipe(libc, earlyBytes) : undefined;
  if (fd < 0 || (earlyBytes > sentAtOnce && pipe === undefined)) {
    release(libc, fd, pipe);
    return undefined;
  }
  return {
    fd,
    pipe,
    complete() {
      const bytes = socket.readableLength > 0 ? Buffer.concat([early, ...takeBuffered(socket)]) : early;
      forget(socket, handle);
      return bytes;
    },
    undo: () => release(libc, fd, pipe),
  };
}

function isQuiet(socket: Socket): boolean {
  return !socket.destroyed && !socket.connecting && !socket.writableEnded && socket.writableLength === 0;
}

/** What Node has read; the event loop does not turn meanwhile, so nothing is added. */
function takeBuffered(socket: Socket): Buffer[] {
  const chunks: Buffer[] = [];
  while (socket.readableLength > 0) {
    const chunk: unknown = socket.read(socket.readableLength);
    if (!Buffer.isBuffer(chunk)) break;
    chunks.push(chunk);
  }
  return chunks;
}

function forget(socket: Socket, handle: TcpHandle): void {
  handle.readStop();
  socket.removeAllListeners();
  socket.on("error", ignore);
  socket.destroy();
}

function release(libc: Libc, fd: number, pipe: EarlyPipe | undefined): void {
  if (fd >= 0) libc.close(fd);
  if (pipe) closeEarlyPipe(libc, pipe);
}

interface TcpHandle {
  readonly fd: number;
  readonly readStop: () => number;
}

/** Node's handle of a plain TCP socket; TLS sockets have a TLSWrap there and Unix sockets a Pipe. */
function handleOf(socket: Socket): TcpHandle | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: TcpHandle | null }; // private, the same since Node 0.10
  return handle && handle.constructor.name === "TCP" && handle.fd >= 0 ? handle : undefined;
}

function ignore(): void {}
