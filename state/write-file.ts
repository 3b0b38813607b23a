import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { makeStateDirectory } from "./directory.ts";

/** Windows lacks the last one, which then counts as 0. */
const { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY, O_NOFOLLOW } = constants;
const anew = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const mode = 0o600;

/**
 * Puts a file of mode 0600 into the state directory, in place of an older one: a reader, a kill and a power cut find
 * the old content or the new one, whole. Makes the directory when it is missing. Throws `failed`.
 */
export function writeStateFile(path: string, content: string): void {
  place(path, content, renameSync);
}

/** `writeStateFile` that leaves what is there alone; whether the file is ours. Of two processes at once one wins. */
export function createStateFile(path: string, content: string): boolean {
  return place(path, content, (whole) => {
    try {
      linkSync(whole, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false; // fs throws only system errors
      throw error;
    }
  });
}

/** `writeStateFile` for a process that must not wait for the disk. */
export async function saveStateFile(path: string, content: string): Promise<void> {
  const whole = temporaryName(path);
  prepare(path, content);
  try {
    {
      await using file = await open(whole, anew, mode);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(whole, path);
    if (!keepsDirectories) return;
    await using directory = await open(dirname(path), O_RDONLY);
    await directory.sync();
  } catch (cause) {
    throw failure(path, cause);
  } finally {
    await rm(whole, { force: true });
  }
}

function place<T>(path: string, content: string, move: (whole: string, path: string) => T): T {
  const whole = temporaryName(path);
  prepare(path, content);
  try {
    withFile(whole, anew, (file) => {
      writeFileSync(file, content);
      fsyncSync(file);
    });
    const moved = move(whole, path);
    if (keepsDirectories) withFile(dirname(path), O_RDONLY, fsyncSync);
    return moved;
  } catch (cause) {
    throw failure(path, cause);
  } finally {
    rmSync(whole, { force: true });
  }
}

function prepare(path: string, content: string): void {
  if (Buffer.byteLength(content) > limits.stateFileBytes)
    throw failure(path, new Error(`it has more than the ${limits.stateFileBytes} bytes that are read again`));
  makeStateDirectory(dirname(path));
}

/** Windows cannot sync a directory. */
const keepsDirectories = process.platform !== "win32";

/** In the same directory, since only a rename within one file system is atomic; nobody can have put anything there. */
function temporaryName(path: string): string {
  return `${path}.${randomBytes(12).toString("hex")}.new`;
}

function withFile(path: string, flags: number, work: (file: number) => void): void {
  const file = openSync(path, flags, mode);
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}

function failure(path: string, cause: unknown): RdvError {
  if (cause instanceof RdvError) return cause;
  const { message } = cause as Error; // fs throws Errors
  return new RdvError("failed", `cannot write ${path}: ${message}; make room, or give another --state-dir`, {
    cause,
  });
}
