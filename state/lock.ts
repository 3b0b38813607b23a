import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { prepareDatabaseFile } from "./database-file.ts";

/** Takes a state directory for this process alone, and makes it when it is new. Throws `state_locked`. */
export function lockState(stateDir: string): Disposable {
  return take(stateDir, "lock.db", 0);
}

/**
 * Reads, changes and writes a file of a state directory while no other command does, so that none loses what another
 * one wrote. Waits for at most `limits.stateChangeMs`, then throws `state_locked`.
 */
export function changeState<T>(stateDir: string, change: () => T): T {
  using _lock = take(stateDir, "change.db", limits.stateChangeMs);
  return change();
}

/** An exclusive SQLite transaction, held by the kernel: it is gone with the process, however that ends. */
function take(stateDir: string, name: string, timeout: number): Disposable {
  const path = join(stateDir, name);
  prepareDatabaseFile(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout });
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
