import type { Output } from "./output.ts";
import { runProgram } from "./run-program.ts";

/**
 * Runs the inviter's own command with `{host}` and `{port}` filled in, at the same terminal, and gives its exit code.
 * With `--json` its output goes to stderr.
 */
export async function runGuestCommand(
  command: readonly string[],
  address: { readonly host: string; readonly port: number },
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<number> {
  const [program = "", ...args] = command.map((word) =>
    word.replaceAll("{host}", address.host).replaceAll("{port}", String(address.port)),
  );
  return await runProgram(program, args, {
    stdio: ["inherit", output.json ? 2 : "inherit", "inherit"],
    signal,
  });
}
