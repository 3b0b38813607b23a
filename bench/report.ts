import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import type { Peer, Probe } from "./model.ts";
import { formatNumber } from "./table.ts";

interface RunFacts {
  readonly begun: Date;
  readonly ended: Date;
  readonly machine: Machine;
  readonly rounds: number;
  readonly quick: boolean;
}

/** One line that says when, where and how. */
export function describeRun({ begun, ended, machine, rounds, quick }: RunFacts): string {
  const minutes = ((ended.getTime() - begun.getTime()) / 60_000).toFixed(1);
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ${machine.congestionControl}, load ${machine.load.toFixed(1)} before`;
  return `${begun.toISOString().slice(0, 10)} · ${where} · ${rounds} round${rounds === 1 ? "" : "s"}${quick ? ", quick" : ""} in ${minutes} min · median (min-max)`;
}

/** Which peers took part, with their versions, and why the others did not. */
export function formatPeers(probed: readonly (readonly [Peer, Probe])[]): string {
  const width = Math.max(...probed.map(([{ name }]) => name.length));
  const line = ([{ name }, probe]: readonly [Peer, Probe]): string =>
    `  ${name.padEnd(width)}  ${probe.installed ? probe.version : `left out: ${probe.reason}`}\n`;
  return `peers\n${probed.map(line).join("")}`;
}

/** What the project aims at, and what this run says. */
export function formatFigures(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ claim }) => claim.length));
  const line = ({ claim, wanted, got, holds }: Figure): string => {
    const verdict = holds === undefined ? "not measured" : holds ? "holds" : "falls short";
    return `  ${claim.padEnd(width)}  ${wanted.padStart(8)}  ${(got === undefined ? "-" : formatNumber(got)).padStart(6)}  ${verdict}\n`;
  };
  return `figures of rdv kernel (aims, not gates)\n${figures.map(line).join("")}`;
}
