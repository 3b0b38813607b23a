import type { Socket } from "node:net";

/**
 * Closes a socket so that its peer sees RST, also below TLS. A reset while `shutdown` is under way is refused by
 * libuv and would leak the descriptor, so it waits for that. Below TLS a peer that takes nothing can hold up the last
 * record, and `shutdown` behind it, for ever: after `shutdownMs` the connection is closed without that record, which
 * the peer takes for a reset.
 */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  if (!isShuttingDown(socket)) return resetNow(socket);
  const timer = setTimeout(() => socket.destroy(), shutdownMs);
  socket.once("finish", () => resetNow(socket)).once("close", () => clearTimeout(timer));
}

/** A shutdown that nothing holds up takes one turn of the event loop. */
const shutdownMs = 1_000;

/** Node begins `shutdown` when all that was written is with the kernel. */
function isShuttingDown(socket: Socket): boolean {
  const { writableEnded, writableFinished, writableLength } = socket;
  return writableEnded && !writableFinished && writableLength === 0 && !isOverStream(socket);
}

function resetNow(socket: Socket): void {
  if (socket.destroyed) return;
  const { _handle: handle } = socket as Socket & Internals; // Node keeps the handle of a socket in this private field
  if (handle?._parent === undefined) {
    if (isTcp(handle)) socket.resetAndDestroy();
    else socket.destroy();
    return;
  }
  // The TCP socket below closes itself and then the TLS socket: a handle that is reset behind its back tells nobody of its close.
  const below = handle._parentWrap;
  if (below && isTcp(handle._parent)) below.resetAndDestroy();
  else socket.destroy();
}

/** TLS over a stream of JavaScript has no `shutdown` of its own under way: the stream knows how it is reset. */
function isOverStream(socket: Socket): boolean {
  const { _handle: handle } = socket as Socket & Internals; // see above
  return handle?._parent !== undefined && !isTcp(handle._parent);
}

interface Handle {
  readonly reset?: (done: () => void) => number;
  readonly _parent?: Handle;
  readonly _parentWrap?: Socket | null;
}

interface Internals {
  readonly _handle?: Handle | null;
}

function isTcp(handle: Handle | null | undefined): boolean {
  return typeof handle?.reset === "function";
}
