import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/**
 * A TLS stream that ends without `close_notify` was cut by somebody who is not the peer, or by the death of the peer's
 * process (RFC 8446 section 6.1). Node shows that as a clean end; from this call on it is a reset: the socket is
 * destroyed with `ECONNRESET`. `secure` lies on a connected TCP or TLS socket and is not read yet.
 */
export function refuseTruncation(secure: TLSSocket): void {
  const { _handle: handle } = secure as Socket & Internals; // Node keeps the handle of a socket in this private field
  const below = handle?._parent;
  const deliver = handle?.onread;
  if (!handle || !below?.readStart || !deliver) return;
  handle.onread = function (this: unknown, bytes) {
    if (bytes === undefined && handle.reading !== false && hasEnded(below)) secure.destroy(cutError());
    else deliver.call(this, bytes);
  };
}

/**
 * Node's event loop stops to read a socket when it has met FIN. A stream that is still read, or that Node itself has
 * paused, has not met it: its end came with `close_notify`.
 */
function hasEnded(below: Handle): boolean {
  return below.readStart?.() === 0;
}

function cutError(): NodeJS.ErrnoException {
  return Object.assign(new Error("The connection ended without the end of its TLS stream"), {
    code: "ECONNRESET",
  });
}

interface Handle {
  onread?: (this: unknown, bytes: ArrayBuffer | undefined) => void;
  readonly reading?: boolean;
  /** 0 when reading begins, else an error: most of all that it has begun already. */
  readonly readStart?: () => number;
  readonly _parent?: Handle;
}

interface Internals {
  readonly _handle?: Handle | null;
}
