import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RdvError } from "../protocol/errors.ts";

/**
 * Takes a state directory for this process alone, and makes it when it is new. The lock is an exclusive SQLite
 * transaction, held by the kernel: it is gone with the process, however that ends. Throws `state_locked`.
 */
export function lockState(stateDir: string): Disposable {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new RdvError("failed", `cannot use ${stateDir} as state directory: ${(cause as Error).message}`, {
      cause,
    }); // fs throws Errors
  }
  const path = join(stateDir, "lock.db");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    if (!isBusy(cause))
      throw new RdvError("failed", `cannot lock ${path}: ${(cause as Error).message}; ${adviceFor(cause)}`, {
        cause,
      }); // node:sqlite throws Errors
    throw new RdvError(
      "state_locked",
      `another rdv uses ${stateDir}: stop it, or give --state-dir another directory`,
      { cause },
    );
  }
  const held = database;
  return { [Symbol.dispose]: () => held.close() };
}

/** https://sqlite.org/rescode.html */
const [busy, notADatabase] = [5, 26];

function isBusy(cause: unknown): boolean {
  return hasCode(cause, busy);
}

function adviceFor(cause: unknown): string {
  if (hasCode(cause, notADatabase)) return "remove that file";
  return "make sure that this user can write there and that the disk has room, or give another --state-dir";
}

function hasCode(cause: unknown, code: number): boolean {
  return cause instanceof Error && "errcode" in cause && cause.errcode === code;
}
