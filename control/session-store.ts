import { createCell } from "./cell.ts";
import type { ObjectContext } from "./platform.ts";
import { SessionRecord, nextLook } from "./sessions.ts";

/** The record of the object's session, and the alarm that goes with it. */
export interface SessionStore {
  read(): SessionRecord | undefined;
  /** The record, when the session is not over. */
  readRunning(): SessionRecord | undefined;
  /** Stores a changed record and sets the alarm to the next time at which it has to be looked at. */
  save(record: SessionRecord): SessionRecord;
}

export function createSessionStore(ctx: ObjectContext, now: () => number): SessionStore {
  const cell = createCell(ctx.kv, "session", SessionRecord);
  return {
    read: () => cell.read(),
    readRunning: () => {
      const record = cell.read();
      return record?.ended ? undefined : record;
    },
    save: (record) => {
      // Most alarms change nothing, and every write is paid for.
      if (JSON.stringify(cell.read()) !== JSON.stringify(record)) cell.write(record);
      ctx.setAlarm(nextLook(record, now()));
      return record;
    },
  };
}
