import { drawChart } from "./chart.ts";
import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import type { Probe } from "./model.ts";
import type { Series } from "./results.ts";

/** Everything that one run has to tell. */
export interface RunRecord {
  readonly begun: Date;
  readonly machine: Machine;
  /** Load average of the last minute when the run has ended: the benchmark's own, and that of whatever else ran. */
  readonly loadAfter: number;
  readonly rounds: number;
  readonly quick: boolean;
  readonly peers: readonly (Probe & { readonly name: string })[];
  readonly figures: readonly Figure[];
  readonly problems: readonly string[];
  readonly series: readonly Series[];
}

/** The files of a run, name and text. rdv's own modes have one of their own, so that measuring them again leaves the rest. */
export function filesOf(record: RunRecord, headline: string): (readonly [string, string])[] {
  const { begun, machine, loadAfter, rounds, quick, peers, figures, problems } = record;
  const modes = record.series.filter(({ kind }) => kind === "modes");
  const series = record.series.filter(({ kind }) => kind !== "modes");
  const isMode = new Set(modes.map(({ peer }) => peer));
  const isOther = new Set(series.map(({ peer }) => peer));
  const head = { begun, machine, loadAfter, rounds, quick };
  const files: (readonly [string, string])[] = [];
  if (modes.length > 0) files.push(["modes.json", toText({ ...head, problems, series: modes })]);
  if (series.length > 0) {
    const others = peers.filter(({ name }) => isOther.has(name) || !isMode.has(name));
    const text = toText({ ...head, peers: others, figures, problems, series });
    files.push(["latest.json", text], ["chart.svg", drawChart(series, headline)]);
  }
  return files;
}

function toText(value: object): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}
