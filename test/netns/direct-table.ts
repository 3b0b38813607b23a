import type { NatKind } from "../fixtures/network.ts";

/** What a run of the tests saw: the way that clients took, by the NATs of agent and client. */
export type SeenPaths = ReadonlyMap<NatKind, ReadonlyMap<NatKind, string>>;

const begin = "<!-- seen by the tests: begin -->";
const end = "<!-- seen by the tests: end -->";

/** The page with the table that was seen in the place of the one that it has. */
export function withTable(page: string, seen: SeenPaths): string {
  const [before, rest = ""] = page.split(begin);
  const [, after] = rest.split(end);
  if (before === undefined || after === undefined) throw new Error(`the page has no ${begin} … ${end}`);
  return `${before}${begin}\n\n${table(seen)}\n\n${end}${after}`;
}

function table(seen: SeenPaths): string {
  const kinds = [...seen.keys()];
  const rows = [
    ["agent ↓ client →", ...kinds],
    ...kinds.map((agent) => [agent, ...kinds.map((client) => seen.get(agent)?.get(client) ?? "")]),
  ];
  const widths = kinds.map((_, column) => column).concat(kinds.length);
  const sizes = widths.map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(sizes[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${sizes.map((size) => "-".repeat(size)).join(" | ")} |`;
  return [line(rows[0] ?? []), rule, ...rows.slice(1).map(line)].join("\n");
}
