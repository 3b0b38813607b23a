import { at } from "./at.ts";
import type { Libc } from "./libc.ts";

/** A pipe for the bytes of a direction that were read in user space; the worker splices them on like all others. */
export interface EarlyPipe {
  readonly readEnd: number;
  readonly writeEnd: number;
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
