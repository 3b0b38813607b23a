import { printable } from "../protocol/printable.ts";

/** Values that stand behind a log line as `key=value`. Secrets never do. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Levels, quietest last. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** A log with one verb a level. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

interface LogDeps {
  /** Takes one finished line, newline included. */
  readonly write: (line: string) => void;
  /** Lines below this level are dropped. */
  readonly level: LogLevel;
  readonly now?: () => number;
}

/** Makes a log that writes lines such as `2026-01-02T03:04:05.678Z info relay: listening port=8788`. */
export function createLog({ write, level, now = Date.now }: LogDeps): Log {
  const least = logLevels.indexOf(level);
  const verb =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logLevels.indexOf(name) < least) return;
      write(`${new Date(now()).toISOString()} ${name} ${printable(message + formatFields(fields))}\n`);
    };
  return { debug: verb("debug"), info: verb("info"), warn: verb("warn"), error: verb("error") };
}

/** A log that drops everything. */
export const silentLog: Log = createLog({ write: () => {}, level: "error" });

function formatFields(fields: LogFields): string {
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const plain = String(value);
    text += ` ${key}=${/^[^\s"=]+$/.test(plain) ? plain : JSON.stringify(plain)}`;
  }
  return text;
}
