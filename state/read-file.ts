import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { checkStateDirectory } from "./directory.ts";
import { refusal, requireOwn } from "./own.ts";

/** Windows lacks the last two, which then count as 0; a pipe is opened without waiting for its writer. */
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

interface ReadOptions {
  /** Refused when others may read it. */
  readonly secret: boolean;
}

/**
 * The text of a file in the state directory; undefined when there is none. Throws `failed`, with what to do, for a file
 * or directory that others own or may write, for links and whatever else is no file, and for one that is too large.
 */
export function readStateFile(path: string, { secret }: ReadOptions): string | undefined {
  if (!checkStateDirectory(dirname(path))) return undefined;
  try {
    return readChecked(path, secret);
  } catch (cause) {
    if (cause instanceof RdvError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException; // fs throws only system errors
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw refusal(path, "it is a symbolic link", "put the file itself there", cause);
    throw new RdvError("failed", `cannot read ${path}: ${message}; run rdv as its owner`, { cause });
  }
}

function readChecked(path: string, secret: boolean): string {
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw refusal(path, "it is no regular file", "move it away");
    requireOwn(path, found, secret);
    if (found.size > limits.stateFileBytes)
      throw refusal(
        path,
        `it has ${found.size} bytes, at most ${limits.stateFileBytes} are read`,
        "move it away",
      );
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}
