import type { Kind, Sample } from "./model.ts";
import { spread } from "./statistics.ts";
import type { Spread } from "./statistics.ts";

/** All values of one column of one table for one peer, in the order of the rounds. */
export interface Series extends Spread {
  readonly kind: Kind;
  readonly measure: string;
  readonly unit: string;
  readonly column: string;
  readonly peer: string;
  readonly values: readonly number[];
}

/** What was measured so far. */
export interface Results {
  add(kind: Kind, peer: string, sample: Sample): void;
  addProblem(problem: string): void;
  /** In the order in which they first came. */
  series(): readonly Series[];
  problems(): readonly string[];
}

export function createResults(): Results {
  const found = new Map<string, { head: Omit<Series, "values" | keyof Spread>; values: number[] }>();
  const problems: string[] = [];
  return {
    add: (kind, peer, { measure, unit, column, value }) => {
      const key = JSON.stringify([kind, measure, column, peer]);
      const entry = found.get(key) ?? { head: { kind, measure, unit, column, peer }, values: [] };
      entry.values.push(value);
      found.set(key, entry);
    },
    addProblem: (problem) => void problems.push(problem),
    series: () => [...found.values()].map(({ head, values }) => ({ ...head, values, ...spread(values) })),
    problems: () => problems,
  };
}
