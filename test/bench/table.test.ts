import assert from "node:assert/strict";
import { test } from "node:test";
import { createResults } from "../../bench/results.ts";
import { formatNumber, formatTables } from "../../bench/table.ts";

test("numbers keep three digits that count", () => {
  assert.deepEqual([0.21345, 4.5678, 78.94, 1234.5].map(formatNumber), ["0.213", "4.57", "78.9", "1235"]);
});

test("a table has a row a peer, the spread of its rounds, and a dash for what was not measured", () => {
  const results = createResults();
  for (const value of [3, 1, 2])
    results.add("hop", "socat", { measure: "speed", unit: "m/s", column: "up", value });
  results.add("hop", "nginx", { measure: "speed", unit: "m/s", column: "down", value: 8 });
  const [title, head, ...rows] = formatTables(results.series()).split("\n");
  assert.equal(title, "one relay hop: speed, m/s");
  assert.match(head ?? "", /up +down$/);
  assert.match(rows[0] ?? "", /socat +2\.00 \(1\.00-3\.00\) +-$/);
  assert.match(rows[1] ?? "", /nginx +- +8\.00$/);
});

test("the same column of another kind is another table", () => {
  const results = createResults();
  const sample = { measure: "speed", unit: "", column: "up", value: 1 };
  results.add("hop", "socat", sample);
  results.add("tunnel", "socat", sample);
  results.add("modes", "TLS leg", sample);
  assert.equal(results.series().length, 3);
  assert.match(
    formatTables(results.series()),
    /one relay hop: speed\n[^]*whole tunnel: speed\n[^]*modes of rdv: speed\n/,
  );
});
