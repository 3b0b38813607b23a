import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly rounds: number;
  readonly quick: boolean;
  /** Words; a thing runs when it matches one of its sort, or when no word is of its sort. Empty: everything. */
  readonly only: readonly string[];
  readonly out: string;
  readonly help: boolean;
}

export const usage = `Usage: npm run bench -- [--rounds N] [--only WORDS] [--quick] [--out FOLDER]

Measures rdv and its peers side by side on this machine, over loopback.
Prints tables; writes latest.json, chart.svg and modes.json. It gates nothing.

  --rounds N     alternating rounds, each with every peer (default 5)
  --only WORDS   kinds (hop, tunnel, modes), scenarios and peers, with commas between; names may be cut short
  --quick        short samples, 2 rounds unless --rounds says more: to see that it works, not to quote
  --out FOLDER   where the files go (default bench/results; with --only or --quick nothing is written without it)
  --help         this text

Scenarios: throughput, round-trip, connections, first-byte, idle-pairs, stopped-reader

Examples:
  npm run bench                                    everything, about 17 minutes
  npm run bench -- --quick                         everything, once over lightly
  npm run bench -- --only hop,round-trip           one scenario of one kind, all peers
  npm run bench -- --only modes --out bench/results
                                                   what rdv's own ways cost, beside each other
  npm run bench -- --only "rdv,haproxy,throughput" --rounds 9 --out /tmp/bench
`;

/** Reads the command line; throws a TypeError or RangeError whose message says what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      out: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const only = values.only
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  const partial = values.quick || only.length > 0;
  return {
    rounds: parseRounds(values.rounds ?? (values.quick ? "2" : "5")),
    quick: values.quick,
    only,
    out: values.out ?? (partial ? "" : fileURLToPath(new URL("results", import.meta.url))),
    help: values.help,
  };
}

/**
 * Chooses by name: those that one of the words begins, or all when no word does. A word that begins nothing in any of
 * the lists is the caller's to refuse (`unknownWords`).
 */
export function choose<T>(
  things: readonly T[],
  nameOf: (thing: T) => string,
  words: readonly string[],
): readonly T[] {
  const chosen = things.filter((thing) => words.some((word) => nameOf(thing).startsWith(word)));
  return chosen.length > 0 ? chosen : things;
}

/** Words that begin none of the names. */
export function unknownWords(words: readonly string[], names: readonly string[]): readonly string[] {
  return words.filter((word) => !names.some((name) => name.startsWith(word)));
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    throw new RangeError(`--rounds ${text}: give a whole number from 1 to 100`);
  return rounds;
}
