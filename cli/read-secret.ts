import { addAbortSignal } from "node:stream";
import type { ReadStream } from "node:tty";

/** A token is about 60 characters; what is longer than this is not one. */
const longest = 4_096;

interface SecretDeps {
  /** `process.stdin`: a terminal, or what is piped in. */
  readonly input: ReadStream;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** What Ctrl-C does, which the terminal does not do itself while it shows nothing. */
  readonly interrupt: () => void;
}

/**
 * Reads one line that nobody should see: typed at a terminal without echo, else the first line of what is piped in.
 * Undefined when it was interrupted or nothing came.
 */
export async function readSecret(question: string, deps: SecretDeps): Promise<string | undefined> {
  const { input, say, signal } = deps;
  addAbortSignal(signal, input);
  if (!input.isTTY) return await firstLine(deps);
  input.setRawMode(true); // before the question: what is typed at once must not show either
  try {
    say(question);
    return await firstLine(deps);
  } finally {
    input.setRawMode(false);
    say("\n");
  }
}

async function firstLine({ input, signal, interrupt }: SecretDeps): Promise<string | undefined> {
  input.setEncoding("utf8");
  let line = "";
  try {
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      // The encoding is set, so chunks are text.
      for (const character of chunk as string) {
        if (character === "\n" || character === "\r") return line;
        if (input.isTTY && character === ctrlC) {
          interrupt();
          return undefined;
        }
        if (input.isTTY && character === ctrlD && line === "") return undefined;
        line = input.isTTY && erases.has(character) ? line.slice(0, -1) : line + character;
      }
      if (line.length > longest) return undefined;
    }
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    input.pause();
  }
  return line === "" ? undefined : line;
}

const ctrlC = "\u0003";
const ctrlD = "\u0004";
/** Backspace and delete, as terminals send them. */
const erases: ReadonlySet<string> = new Set(["\b", "\u007f"]);
