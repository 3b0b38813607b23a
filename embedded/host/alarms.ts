import type { Log } from "../../net/log.ts";
import type { Database } from "./database.ts";

/** The alarms of all objects, behind one timer. An alarm is forgotten after it ran, so a killed host runs it again. */
export interface Alarms extends AsyncDisposable {
  /** Milliseconds since 1970; null clears the object's alarm. */
  set(object: string, at: number | null): void;
}

interface AlarmDeps {
  readonly database: Database;
  readonly run: (object: string) => Promise<void>;
  readonly log: Log;
  readonly now?: () => number;
}

/** After a start overdue alarms wait this long: the agents' connections broke with the host and come back first. */
const startGraceMs = 60_000;
/** An alarm that failed is tried again after this time, doubled each time … */
const retryBaseMs = 2_000;
/** … up to this. */
const retryCapMs = 5 * 60_000;
/** Alarms that run at once. */
const atOnce = 50;
/** The longest wait of a Node timer is 24.8 days; a shorter one also follows a changed clock. */
const longestWaitMs = 60_000;

export function createAlarms({ database, run, log, now = Date.now }: AlarmDeps): Alarms {
  const running = new Map<string, { reset: boolean; done: Promise<void> }>();
  const failures = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let stopped = false;

  function wakeAt(at: number): void {
    if (stopped || at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(tick, Math.min(longestWaitMs, Math.max(0, at - now())));
    timer.unref();
  }

  function tick(): void {
    timerAt = Number.POSITIVE_INFINITY;
    for (const { object, at } of database.nextAlarms(atOnce + running.size)) {
      if (running.has(object)) continue;
      // What did not fit into this round is started by the next alarm that ends.
      if (at > now()) return wakeAt(at);
      if (running.size >= atOnce) return;
      start(object);
    }
  }

  function start(object: string): void {
    const entry = { reset: false, done: Promise.resolve() };
    running.set(object, entry);
    entry.done = run(object)
      .then(
        () => {
          failures.delete(object);
          if (!entry.reset) database.clearAlarm(object);
        },
        (error: unknown) => {
          if (!entry.reset) retryLater(object, error);
        },
      )
      .finally(() => {
        running.delete(object);
        if (!stopped) tick();
      });
  }

  function retryLater(object: string, error: unknown): void {
    const count = (failures.get(object) ?? 0) + 1;
    failures.set(object, count);
    log.warn("control: an alarm failed and is tried again", {
      object,
      error: String(error),
      failures: count,
    });
    database.setAlarm(object, now() + Math.min(retryCapMs, retryBaseMs * 2 ** (count - 1)));
  }

  database.delayAlarms(now() + startGraceMs);
  tick();
  return {
    set: (object, at) => {
      const entry = running.get(object);
      if (entry) entry.reset = true;
      if (at === null) return database.clearAlarm(object);
      database.setAlarm(object, at);
      wakeAt(at);
    },
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      clearTimeout(timer);
      await Promise.all([...running.values()].map(async (entry) => await entry.done));
    },
  };
}
