import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drawChart } from "./chart.ts";
import { checkFigures } from "./figures.ts";
import { startLoad } from "./load/load.ts";
import { describeMachine } from "./machine.ts";
import { kinds } from "./model.ts";
import type { Peer, Probe } from "./model.ts";
import { choose, parseOptions, unknownWords, usage } from "./options.ts";
import type { BenchOptions } from "./options.ts";
import { allPeers } from "./peers/all-peers.ts";
import { createPortPicker } from "./peers/ports.ts";
import { describeRun, formatFigures, formatPeers } from "./report.ts";
import { createResults } from "./results.ts";
import { runPlan } from "./run.ts";
import { allScenarios } from "./scenarios/all-scenarios.ts";
import { formatTables } from "./table.ts";

const interrupted = 130;

process.exitCode = await main(process.argv.slice(2));

/** Returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === "string") return say(process.stderr, `bench: ${options}\n`, 2);
  if (options.help) return say(process.stdout, usage, 0);
  if (process.platform !== "linux")
    return say(process.stderr, "bench: it reads /proc, so it runs on Linux only\n", 1);
  /* Each started program listens for this process's end. */
  process.setMaxListeners(100);
  const interrupt = new AbortController();
  process.on("SIGINT", () => {
    if (interrupt.signal.aborted) process.exit(interrupted);
    process.stderr.write("bench: stopping; once more to stop at once\n");
    interrupt.abort();
  });
  process.once("SIGTERM", () => interrupt.abort());
  try {
    await measure(options, interrupt.signal);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) return interrupted;
    throw error;
  }
}

function readOptions(args: readonly string[]): BenchOptions | string {
  try {
    return parseOptions(args);
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\nTry --help.`;
  }
}

async function measure(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const peers = allPeers(createPortPicker());
  const names = [...kinds, ...allScenarios.map(({ name }) => name), ...peers.map(({ name }) => name)];
  const unknown = unknownWords(options.only, names);
  if (unknown.length > 0)
    throw new RangeError(`--only: no kind, scenario or peer begins with ${unknown.join(", ")}`);
  const probed = await Promise.all(
    choose(peers, ({ name }) => name, options.only).map(async (peer) => [peer, await peer.probe()] as const),
  );
  await measurePeers(probed, options, signal);
}

async function measurePeers(
  probed: readonly (readonly [Peer, Probe])[],
  options: BenchOptions,
  signal: AbortSignal,
): Promise<void> {
  const begun = new Date();
  const results = createResults();
  const plan = {
    kinds: choose(kinds, (kind) => kind, options.only),
    peers: probed.filter(([, { installed }]) => installed).map(([peer]) => peer),
    scenarios: choose(allScenarios, ({ name }) => name, options.only),
    rounds: options.rounds,
    quick: options.quick,
  };
  const progress = (line: string): void =>
    void process.stderr.write(
      `${((Date.now() - begun.getTime()) / 1000).toFixed(0).padStart(4)} s  ${line}\n`,
    );
  {
    await using load = await startLoad();
    await runPlan(plan, { load, results, progress, signal });
  }
  const series = results.series();
  const machine = describeMachine();
  const figures = checkFigures(series);
  const run = describeRun({ begun, ended: new Date(), machine, rounds: plan.rounds, quick: plan.quick });
  process.stdout.write(
    `${run}\n\n${formatPeers(probed)}\n${formatTables(series)}\n${formatFigures(figures)}`,
  );
  for (const problem of results.problems()) process.stdout.write(`problem: ${problem}\n`);
  if (options.out === "") return;
  await mkdir(options.out, { recursive: true });
  const peers = probed.map(([{ name }, probe]) => ({ name, ...probe }));
  const record = {
    begun,
    machine,
    rounds: plan.rounds,
    quick: plan.quick,
    peers,
    series,
    figures,
    problems: results.problems(),
  };
  await writeFile(join(options.out, "latest.json"), `${JSON.stringify(record, null, 1)}\n`);
  await writeFile(join(options.out, "chart.svg"), drawChart(series, run));
  progress(`wrote ${join(options.out, "latest.json")} and chart.svg`);
}

function say(stream: NodeJS.WriteStream, text: string, code: number): number {
  stream.write(text);
  return code;
}
