import { CommanderError } from "commander";
import { readProxies } from "../net/proxy/proxies.ts";
import { RdvError, errorRules } from "../protocol/errors.ts";
import { printable } from "../protocol/printable.ts";
import { interruptedExit } from "./interrupts.ts";
import { createProgram } from "./program.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Runs one command line and resolves to the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
 * A failure is one line on stderr that says what to do next.
 */
export async function runCli(
  args: readonly string[],
  process: Omit<Runtime, "exitWith" | "proxies">,
): Promise<number> {
  let exitCode = 0;
  const runtime: Runtime = {
    ...process,
    proxies: readProxies(process.env),
    exitWith: (code) => void (exitCode = code),
  };
  try {
    await createProgram(runtime).parseAsync(args, { from: "user" });
    return runtime.signal.aborted ? interruptedExit : exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (runtime.signal.aborted) return interruptedExit;
    if (!(error instanceof RdvError || isSystemError(error))) throw error;
    runtime.stderr(`rdv: ${printable(error.message.replaceAll(/\s*\n\s*/g, "; "))}\n`);
    return error instanceof RdvError ? errorRules[error.code].exit : 1;
  }
}

/** A disk that is full, a file that may not be read: the system's own words say what and where. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error;
}
