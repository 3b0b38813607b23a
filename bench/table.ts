import type { Kind } from "./model.ts";
import type { Series } from "./results.ts";

/** Plain-text tables, one for each kind and measure: a row a peer, a column a metric, `median (min-max)` in each cell. */
export function formatTables(series: readonly Series[]): string {
  const tables = Map.groupBy(
    series,
    ({ kind, measure, unit }) => `${titles[kind]}: ${measure}${unit === "" ? "" : `, ${unit}`}`,
  );
  return [...tables].map(([title, cells]) => formatTable(title, cells)).join("\n");
}

const titles: Readonly<Record<Kind, string>> = {
  hop: "one relay hop",
  tunnel: "whole tunnel",
  modes: "modes of rdv",
};

function formatTable(title: string, cells: readonly Series[]): string {
  const columns = [...new Set(cells.map(({ column }) => column))];
  const peers = [...new Set(cells.map(({ peer }) => peer))];
  const cell = (peer: string, column: string): string => {
    const found = cells.find((one) => one.peer === peer && one.column === column);
    return found === undefined ? "-" : formatSpread(found);
  };
  const rows = [
    ["", ...columns],
    ...peers.map((peer) => [peer, ...columns.map((column) => cell(peer, column))]),
  ];
  return `${title}\n${align(rows)}`;
}

function formatSpread({ median, min, max, values }: Series): string {
  return values.length === 1
    ? formatNumber(median)
    : `${formatNumber(median)} (${formatNumber(min)}-${formatNumber(max)})`;
}

/** Three digits that count, without an exponent: 0.213, 4.56, 78.9, 1234. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : 3);
}

/** First column to the left, the others to the right. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, place) => Math.max(...rows.map((row) => (row[place] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, place) => (place === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[place] ?? 0)))
      .join("  ");
  return rows.map((row) => `  ${line(row).trimEnd()}\n`).join("");
}
