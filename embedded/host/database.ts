import { DatabaseSync } from "node:sqlite";
import { RdvError } from "../../protocol/errors.ts";
import type { SyncKv } from "../../control/platform.ts";
import { prepareDatabaseFile } from "../../state/database-file.ts";

/** An alarm of one object. */
interface StoredAlarm {
  readonly object: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** One SQLite file for all objects of the host. */
export interface Database extends Disposable {
  /** The storage of one object. */
  kv(object: string): SyncKv;
  /** Whether anything is stored for an object. */
  holds(object: string): boolean;
  transaction<T>(run: () => T): T;
  /** Removes everything stored for an object. */
  erase(object: string): void;
  setAlarm(object: string, at: number): void;
  clearAlarm(object: string): void;
  /** The earliest alarms, at most `limit`. */
  nextAlarms(limit: number): StoredAlarm[];
  /** Moves every alarm before `at` to `at`. */
  delayAlarms(at: number): void;
}

/**
 * Of what is stored, in the file's `user_version` (https://sqlite.org/pragma.html#pragma_user_version): to be counted up
 * by a change that older programs would read wrongly.
 */
const format = 1;

/** WAL with NORMAL: what was answered survives a killed process; only a power cut may lose the last moments. */
const schema = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA user_version = ${format};
  CREATE TABLE IF NOT EXISTS entries (object TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (object, key)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alarms (object TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS alarms_by_time ON alarms (at);
`;

/**
 * Opens the file, or makes it. Throws `state_locked` while another process has it open, and `failed` when it is damaged
 * or a newer program's.
 */
export function openDatabase(path: string): Database {
  const db = openFile(path);
  const get = db.prepare("SELECT value FROM entries WHERE object = ? AND key = ?");
  const put = db.prepare(
    "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  const remove = db.prepare("DELETE FROM entries WHERE object = ? AND key = ?");
  const list = db.prepare(
    "SELECT key, value FROM entries WHERE object = ? AND key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?",
  );
  const holds = db.prepare("SELECT 1 FROM entries WHERE object = ? LIMIT 1");
  const removeAll = db.prepare("DELETE FROM entries WHERE object = ?");
  const setAlarm = db.prepare("INSERT INTO alarms VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at");
  const clearAlarm = db.prepare("DELETE FROM alarms WHERE object = ?");
  const nextAlarms = db.prepare("SELECT object, at FROM alarms ORDER BY at LIMIT ?");
  const delayAlarms = db.prepare("UPDATE alarms SET at = ? WHERE at < ?");

  function transaction<T>(run: () => T): T {
    db.exec("BEGIN");
    try {
      const result = run();
      db.exec("COMMIT");
      return result;
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  }

  return {
    kv: (object) => ({
      get: (key) => {
        const row = get.get(object, key);
        return row && JSON.parse(String(row["value"]));
      },
      put: (key, value) => void put.run(object, key, JSON.stringify(value)),
      delete: (key) => remove.run(object, key).changes > 0,
      list: ({ prefix, startAfter = "", limit = -1 }) =>
        list
          .all(object, prefix, `${prefix}\u{10FFFF}`, startAfter, limit)
          .map((row): [string, unknown] => [String(row["key"]), JSON.parse(String(row["value"]))]),
    }),
    holds: (object) => holds.get(object) !== undefined,
    transaction,
    erase: (object) =>
      transaction(() => {
        removeAll.run(object);
        clearAlarm.run(object);
      }),
    setAlarm: (object, at) => void setAlarm.run(object, Math.ceil(at)),
    clearAlarm: (object) => void clearAlarm.run(object),
    nextAlarms: (limit) =>
      nextAlarms.all(limit).map((row) => ({ object: String(row["object"]), at: Number(row["at"]) })),
    delayAlarms: (at) => void delayAlarms.run(at, at),
    [Symbol.dispose]: () => db.close(),
  };
}

function openFile(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    prepareDatabaseFile(path);
    db = new DatabaseSync(path);
    requireFormat(db, path);
    db.exec(schema);
    return db;
  } catch (cause) {
    db?.close();
    if (cause instanceof RdvError) throw cause;
    if (cause instanceof Error && /locked|busy/i.test(cause.message))
      throw new RdvError(
        "state_locked",
        `Another process uses ${path}; stop it, or choose another --state-dir`,
        { cause },
      );
    throw new RdvError(
      "failed",
      `Cannot open ${path}: ${cause instanceof Error ? cause.message : String(cause)}; make room on its disk, ` +
        "restore the file from a backup, or move it away to start without its sessions and keys",
      { cause },
    );
  }
}

/** An older program must not touch what it would read wrongly. */
function requireFormat(db: DatabaseSync, path: string): void {
  const found = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (found <= format) return;
  throw new RdvError(
    "failed",
    `${path} was written by a newer rdv (format ${found}, this one knows ${format}); run that version, or choose ` +
      "another --state-dir",
  );
}
