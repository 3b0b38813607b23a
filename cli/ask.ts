import { createInterface } from "node:readline/promises";

/** Asks a question at the terminal, on stderr; undefined when stdin is no terminal, or `signal` aborts, or it ends. */
export async function askAtTerminal(question: string, signal: AbortSignal): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // In line mode readline takes Ctrl-C for itself.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const { promise: closed, resolve } = Promise.withResolvers<undefined>();
  lines.once("close", () => resolve(undefined));
  try {
    return await Promise.race([lines.question(question, { signal }), closed]);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    lines.close();
  }
}
