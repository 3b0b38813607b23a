import { createLog } from "../net/log.ts";
import type { Log } from "../net/log.ts";
import type { Runtime } from "./runtime.ts";

/** Where a command speaks: events as JSON lines, or lines for people. */
export interface Output {
  readonly json: boolean;
  /** With `--json`: one JSON object a line on stdout. Otherwise the human lines, if any, on stdout. */
  event(event: Readonly<Record<string, unknown>>, human?: string): void;
  /** A status line for people, on stderr; silent with `--json` and `--quiet`. */
  note(line: string): void;
  readonly log: Log;
}

/** `--json` logs from `info`, people see `warn` and above unless they asked for `--verbose`. */
export function createOutput(
  runtime: Runtime,
  options: { json: boolean; quiet: boolean; verbose: boolean },
): Output {
  const level = options.verbose ? "debug" : options.quiet ? "error" : options.json ? "info" : "warn";
  return {
    json: options.json,
    event: (event, human) => {
      if (options.json) runtime.stdout(`${JSON.stringify(event)}\n`);
      else if (human !== undefined) runtime.stdout(`${human}\n`);
    },
    note: (line) => {
      if (!options.json && !options.quiet) runtime.stderr(`${line}\n`);
    },
    log: createLog({ write: runtime.stderr, level }),
  };
}
