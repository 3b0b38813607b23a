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
  const database = new DatabaseSync(join(stateDir, "lock.db"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw cause;
    throw new RdvError(
      "state_locked",
      `another rdv uses ${stateDir}: stop it, or give --state-dir another directory`,
      { cause },
    );
  }
  return { [Symbol.dispose]: () => database.close() };
}

/** SQLITE_BUSY, https://sqlite.org/rescode.html#busy */
function isBusy(cause: unknown): boolean {
  return cause instanceof Error && "errcode" in cause && cause.errcode === 5;
}
