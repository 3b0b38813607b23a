import { createLog } from "../net/log.ts";
import type { Log } from "../net/log.ts";
import { printable, printableJson } from "../protocol/printable.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Where a command speaks: events as JSON lines, or lines for people. What others wrote may stand in every one of them,
 * so each is made printable here, and stays one line.
 */
export interface Output {
  readonly json: boolean;
  /** With `--json`: one JSON object a line on stdout. Otherwise the human lines, if any, on stdout. */
  event(event: Readonly<Record<string, unknown>>, human?: string | readonly string[]): void;
  /** A status line for people, on stderr; silent with `--json` and `--quiet`. */
  note(line: string): void;
  /** Lines that somebody has to read whatever was asked for, on stderr: what a question is about. */
  readonly say: (lines: readonly string[]) => void;
  /** A drawing of rdv's own, such as a QR code, where notes are shown. */
  picture(text: string): void;
  readonly log: Log;
}

/** `--json` logs from `info`, people see `warn` and above unless they asked for `--verbose`. */
export function createOutput(
  runtime: Pick<Runtime, "stdout" | "stderr">,
  options: { json: boolean; quiet: boolean; verbose: boolean },
): Output {
  const level = options.verbose ? "debug" : options.quiet ? "error" : options.json ? "info" : "warn";
  const isQuiet = options.json || options.quiet;
  const say = (lines: readonly string[]): void => runtime.stderr(asLines(lines));
  return {
    json: options.json,
    event: (event, human) => {
      if (options.json) runtime.stdout(`${printableJson(event)}\n`);
      else if (human !== undefined) runtime.stdout(asLines(typeof human === "string" ? [human] : human));
    },
    note: (line) => {
      if (!isQuiet) say([line]);
    },
    say,
    picture: (text) => {
      if (!isQuiet) runtime.stderr(text);
    },
    log: createLog({ write: runtime.stderr, level }),
  };
}

function asLines(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join("");
}
