import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkFigures } from "./figures.ts";
import { startLoad } from "./load/load.ts";
import { describeMachine } from "./machine.ts";
import { kinds } from "./model.ts";
import type { Kind, Peer, Probe } from "./model.ts";
import { choose } from "./options.ts";
import type { BenchOptions } from "./options.ts";
import { filesOf } from "./record.ts";
import { describeRun, formatFigures, formatPeers } from "./report.ts";
import { createResults } from "./results.ts";
import { runPlan } from "./run-plan.ts";
import type { Plan } from "./run-plan.ts";
import { allScenarios } from "./scenarios/all-scenarios.ts";
import { formatTables } from "./table.ts";

type Probed = readonly (readonly [Peer, Probe])[];

/** Measures what the options choose with the peers that are installed, prints the tables and writes the files. */
export async function measureAll(
  peers: readonly Peer[],
  options: BenchOptions,
  signal: AbortSignal,
): Promise<void> {
  const begun = new Date();
  const machine = describeMachine();
  const wanted = choose(kinds, (kind) => kind, options.only);
  const able = peers.filter((peer) => peer.kinds.some((kind) => wanted.includes(kind)));
  const chosen = choose(able, ({ name }) => name, options.only);
  const probed = await Promise.all(chosen.map(async (peer) => [peer, await peer.probe()] as const));
  const plan = planFrom(options, wanted, probed);
  const results = createResults();
  const progress = (line: string): void => {
    const seconds = ((Date.now() - begun.getTime()) / 1000).toFixed(0);
    process.stderr.write(`${seconds.padStart(4)} s  ${line}\n`);
  };
  {
    await using load = await startLoad();
    await runPlan(plan, { load, results, progress, signal });
  }
  const series = results.series();
  const figures = checkFigures(series);
  const problems = results.problems();
  const headline = describeRun({ ...plan, begun, ended: new Date(), machine });
  process.stdout.write(`${headline}\n\n${formatPeers(probed)}\n${formatTables(series)}`);
  if (figures.some(({ got }) => got !== undefined)) process.stdout.write(`\n${formatFigures(figures)}`);
  for (const problem of problems) process.stdout.write(`problem: ${problem}\n`);
  if (options.out === "") return;
  const versions = probed.map(([{ name }, probe]) => ({ name, ...probe }));
  const { rounds, quick } = plan;
  const loadAfter = describeMachine().load;
  const record = { begun, machine, loadAfter, rounds, quick, peers: versions, figures, problems, series };
  await mkdir(options.out, { recursive: true });
  for (const [name, text] of filesOf(record, headline)) await writeFile(join(options.out, name), text);
  progress(`wrote into ${options.out}`);
}

function planFrom({ only, rounds, quick }: BenchOptions, wanted: readonly Kind[], probed: Probed): Plan {
  return {
    kinds: wanted,
    peers: probed.filter(([, { installed }]) => installed).map(([peer]) => peer),
    scenarios: choose(allScenarios, ({ name }) => name, only),
    rounds,
    quick,
  };
}
