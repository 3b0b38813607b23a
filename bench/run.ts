import { kinds } from "./model.ts";
import { measureAll } from "./measure-all.ts";
import { parseOptions, unknownWords, usage } from "./options.ts";
import type { BenchOptions } from "./options.ts";
import { allPeers } from "./peers/all-peers.ts";
import { createPortPicker } from "./peers/ports.ts";
import { allScenarios } from "./scenarios/all-scenarios.ts";

const interrupted = 130;

process.exitCode = await main(process.argv.slice(2));

/** Returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
async function main(args: readonly string[]): Promise<number> {
  const peers = allPeers(createPortPicker());
  const names = [...kinds, ...[...allScenarios, ...peers].map(({ name }) => name)];
  const options = readOptions(args, names);
  if (typeof options === "string") return say(process.stderr, `bench: ${options}\nTry --help.\n`, 2);
  if (options.help) return say(process.stdout, usage, 0);
  if (process.platform !== "linux")
    return say(process.stderr, "bench: it reads /proc, so it runs on Linux only\n", 1);
  const signal = watchInterrupts();
  try {
    await measureAll(peers, options, signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return interrupted;
    throw error;
  }
}

function readOptions(args: readonly string[], names: readonly string[]): BenchOptions | string {
  try {
    const options = parseOptions(args);
    const unknown = unknownWords(options.only, names);
    return unknown.length === 0
      ? options
      : `--only ${unknown.join(",")}: give the beginnings of ${names.join(", ")}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The first Ctrl-C ends what is being measured and all peers in good order, the second at once. */
function watchInterrupts(): AbortSignal {
  const interrupt = new AbortController();
  /* Each started program listens for this process's end. */
  process.setMaxListeners(100);
  process.on("SIGINT", () => {
    if (interrupt.signal.aborted) process.exit(interrupted);
    process.stderr.write("bench: stopping; once more to stop at once\n");
    interrupt.abort();
  });
  process.once("SIGTERM", () => interrupt.abort());
  return interrupt.signal;
}

function say(stream: NodeJS.WriteStream, text: string, code: number): number {
  stream.write(text);
  return code;
}
