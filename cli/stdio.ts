import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import type { Stdio } from "../agent/connect/forward-stdio.ts";

/** This process's standard input and output, for a command whose bytes they carry. */
export function takeStdio(): Stdio {
  // The output's end is the connection's business, not a reason to exit.
  process.stdout.removeAllListeners("error");
  return {
    input: process.stdin,
    output: process.stdout,
    closeOutput: closeDescriptor,
    isTerminal: process.stdin.isTTY,
  };
}

/** Node never closes its standard output. The number stays in use, so that no later socket gets it. */
function closeDescriptor(): void {
  closeSync(1);
  openSync(devNull, "w");
}
