import { spawn } from "node:child_process";
import { constants } from "node:os";
import { RdvError } from "../protocol/errors.ts";
import type { Output } from "./output.ts";

/**
 * Runs the inviter's own command with `{host}` and `{port}` filled in, at the same terminal, and gives its exit code;
 * one that a signal ended gives 128 and the signal's number, as a shell does. With `--json` its output goes to stderr.
 */
export async function runGuestCommand(
  command: readonly string[],
  address: { readonly host: string; readonly port: number },
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<number> {
  const [program = "", ...args] = command.map((word) =>
    word.replaceAll("{host}", address.host).replaceAll("{port}", String(address.port)),
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(program, args, { stdio: ["inherit", output.json ? 2 : "inherit", "inherit"] });
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
