import assert from "node:assert/strict";
import { test } from "node:test";
import { drawChart } from "../../bench/chart.ts";
import { createResults } from "../../bench/results.ts";

function chartOf(values: Readonly<Record<string, readonly number[]>>, caption = "caption"): string {
  const results = createResults();
  for (const [peer, rounds] of Object.entries(values))
    for (const value of rounds)
      results.add("hop", peer, { measure: "throughput", unit: "Gbit/s", column: "1 up", value });
  return drawChart(results.series(), caption);
}

/** Widths of the bars, in the order of the rows. */
function barWidths(chart: string): number[] {
  return [...chart.matchAll(/<rect class="(?:own|other|bound)"[^>]* width="([^"]+)"/g)].map(([, width]) =>
    Number(width),
  );
}

test("bars are as long as their medians, and the longest line still fits", () => {
  const [long, short] = barWidths(chartOf({ "rdv kernel": [20, 20, 40], socat: [5] }));
  assert.ok(long !== undefined && short !== undefined);
  assert.ok(Math.abs(long / short - 4) < 0.01);
  assert.ok(long <= 135, `half of the widest value is ${long}`);
});

test("the chart is well-formed: every element is closed, names and caption are escaped", () => {
  const chart = chartOf({ 'a<b & "c"': [1] }, "1 < 2 & 3");
  const open: string[] = [];
  for (const [, slash, name, selfClosed] of chart.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g))
    if (slash === "/") assert.equal(open.pop(), name);
    else if (selfClosed !== "/") open.push(name ?? "");
  assert.deepEqual(open, []);
  assert.match(chart, />a&lt;b &amp; &quot;c&quot;</);
  assert.match(chart, />1 &lt; 2 &amp; 3</);
});

test("nothing measured and nothing moved still make a chart without a NaN", () => {
  for (const chart of [chartOf({}), chartOf({ socat: [0, 0] })]) {
    assert.match(chart, /^<svg /);
    assert.doesNotMatch(chart, /NaN|Infinity|undefined/);
  }
});

test("the chart has colours of its own for both schemes of the reader", () => {
  const chart = chartOf({ socat: [1] });
  assert.match(chart, /prefers-color-scheme:\s*dark/);
  assert.match(chart, /<rect class="page"/);
});
