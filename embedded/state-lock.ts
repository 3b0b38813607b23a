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
      throw new RdvError(
        "failed",
        `cannot lock ${path}: ${(cause as Error).message}; remove that file, or make room on its disk`,
        { cause },
      ); // node:sqlite throws Errors
    throw new RdvError(
      "state_locked",
      `another rdv uses ${stateDir}: stop it, or give --state-dir another directory`,
      { cause },
    );
  }
  const held = database;
  return { [Symbol.dispose]: () => held.close() };
}

/** SQLITE_BUSY, https://sqlite.org/rescode.html#busy */
function isBusy(cause: unknown): boolean {
  return cause instanceof Error && "errcode" in cause && cause.errcode === 5;
}
