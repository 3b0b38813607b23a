import { at } from "./at.ts";
import type { Libc } from "./libc.ts";

/** A pipe for the bytes of a direction that were read in user space; the worker splices them on like all others. */
export interface EarlyPipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** What became of the bytes of a direction that were read in user space. */
export interface EarlyBytes {
  /** The other leg's socket has them already. */
  readonly sent: number;
  /** These are in the pipe. */
  readonly left: number;
  readonly pipe: EarlyPipe | undefined;
  /** Not all could be kept: the pair has to be cut. */
  readonly lost: boolean;
}

/** Bytes that a socket with nothing queued takes at once, whatever its buffer. */
export const sentAtOnce = 4_096;

/** Hands bytes to the socket `sink`, or keeps them in `pipe`, which is opened when the socket does not take few of them. */
export function passOn(libc: Libc, bytes: Uint8Array, pipe: EarlyPipe | undefined, sink: number): EarlyBytes {
  const sent = pipe || bytes.length === 0 ? 0 : Math.max(0, libc.send(sink, bytes, bytes.length));
  const left = bytes.length - sent;
  if (left === 0) return { sent, left, pipe, lost: false };
  const keeping = pipe ?? openEarlyPipe(libc, left);
  if (!keeping) return { sent, left: 0, pipe: undefined, lost: true };
  const put = libc.write(keeping.writeEnd, bytes.subarray(sent), left);
  if (put !== left) throw new Error(`a new pipe took ${put} of ${left} bytes`);
  return { sent, left, pipe: keeping, lost: false };
}

/** A pipe that takes `bytes` at once, or undefined when the kernel gives none. It is used for other pairs later. */
export function openEarlyPipe(libc: Libc, bytes: number): EarlyPipe | undefined {
  const ends = new Int32Array(2);
  if (libc.pipe(ends) !== 0) return undefined;
  const pipe = { readEnd: at(ends, 0), writeEnd: at(ends, 1) };
  if (libc.setPipeSize(pipe.writeEnd, Math.max(bytes, usualBytes)) >= bytes) return pipe;
  closeEarlyPipe(libc, pipe);
  return undefined;
}

/** Closes both ends, and with them what the pipe holds. */
export function closeEarlyPipe(libc: Libc, pipe: EarlyPipe): void {
  libc.close(pipe.readEnd);
  libc.close(pipe.writeEnd);
}

/** Not less than the kernel's default: a pipe that was made small would slow down whoever borrows it next. */
const usualBytes = 65_536;
