import type { Log, LogFields } from "../net/log.ts";

/** Lines a second that strangers may cause. */
const linesPerSecond = 20;

/** A log verb for what strangers cause: at most so many lines a second, and one line for how many were left out. */
export function createLogBudget(log: Log, now: () => number): (message: string, fields: LogFields) => void {
  let second = 0;
  let lines = 0;
  let leftOut = 0;
  return (message, fields) => {
    const current = Math.floor(now() / 1_000);
    if (current !== second) {
      if (leftOut > 0) log.info("relay: log lines left out", { lines: leftOut });
      second = current;
      lines = 0;
      leftOut = 0;
    }
    lines += 1;
    if (lines <= linesPerSecond) log.info(message, fields);
    else leftOut += 1;
  };
}
