import { recv } from "./libc.ts";

/** MSG_NOSIGNAL: a write to a closed connection is an error, not a SIGPIPE. */
export const noSignal = 0x4000;

/** What every stream sends, again and again; it stays in the processor's cache. */
export const streamChunk = Buffer.alloc(128 * 1024, "rdv ");

const MSG_TRUNC = 0x20;
const takeBytes = 1024 * 1024;
const target = Buffer.alloc(1);

/** Takes up to 1 MiB from the socket without copying it out of the kernel (MSG_TRUNC, tcp(7)); returns what `recv` returns. */
export function discard(fd: number): number {
  return recv(fd, target, takeBytes, MSG_TRUNC);
}
