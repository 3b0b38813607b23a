import { spawn } from "node:child_process";
import type { StdioOptions } from "node:child_process";
import { constants } from "node:os";
import { RdvError } from "../protocol/errors.ts";

interface ProgramOptions {
  readonly stdio: StdioOptions;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the program with SIGTERM. */
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end and gives its exit code; one that a signal ended gives 128 and the signal's number, as a
 * shell does. Throws `failed` when it cannot be started.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { stdio, env, signal }: ProgramOptions,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(program, args, { stdio, ...(env === undefined ? {} : { env: { ...env } }) });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  child.once("error", (error) => reject(new RdvError("failed", `cannot run ${program}: ${error.message}`)));
  child.once("exit", (code, killedBy) => resolve(code ?? 128 + (killedBy ? constants.signals[killedBy] : 0)));
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
