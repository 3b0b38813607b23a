import { closeSync, constants, lstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { makeStateDirectory } from "./directory.ts";
import { refusal, requireOwn } from "./own.ts";

const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;

/** Beside its database, with the database's own mode (https://sqlite.org/tempfiles.html). */
const companions = ["-wal", "-shm", "-journal"];

/**
 * Makes the file of a SQLite database with mode 0600 where there is none, and its directory; checks those that are there,
 * because SQLite opens whatever it finds. Throws `failed`.
 */
export function prepareDatabaseFile(path: string): void {
  makeStateDirectory(dirname(path));
  for (const each of [path, ...companions.map((end) => path + end)]) check(each);
  try {
    closeSync(openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException; // fs throws only system errors
    if (code !== "EEXIST")
      throw refusal(path, message, "make room on its disk, or give another --state-dir", cause);
  }
}

function check(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isFile()) throw refusal(path, "it is no regular file", "move it away");
  requireOwn(path, found);
}
