import assert from "node:assert/strict";
import { test } from "node:test";
import { checkFigures } from "../../bench/figures.ts";
import type { Figure } from "../../bench/figures.ts";
import { createResults } from "../../bench/results.ts";
import type { Results } from "../../bench/results.ts";

function cpu(results: Results, peer: string, up: number, down: number): void {
  const head = { measure: "CPU of the relay", unit: "s/GB" };
  results.add("hop", peer, { ...head, column: "1 up", value: up });
  results.add("hop", peer, { ...head, column: "1 down", value: down });
}

function figure(results: Results, claim: string): Figure {
  const found = checkFigures(results.series()).find((one) => one.claim === claim);
  assert.ok(found, `no figure ${claim}`);
  return found;
}

test("a figure compares the medians of both directions together", () => {
  const results = createResults();
  cpu(results, "rdv kernel", 0.2, 0.4);
  cpu(results, "haproxy splice", 0.5, 0.7);
  const { got, holds } = figure(results, "hop: CPU per GB / HAProxy splice");
  assert.ok(got !== undefined && Math.abs(got - 0.5) < 1e-9);
  assert.equal(holds, true);
});

test("a figure that is not reached says so", () => {
  const results = createResults();
  cpu(results, "rdv kernel", 0.4, 0.4);
  cpu(results, "rdv portable", 0.8, 0.8);
  assert.equal(figure(results, "hop: CPU per GB / own portable pump").holds, false);
});

test("a figure without its peer is not measured, neither good nor bad", () => {
  const results = createResults();
  cpu(results, "rdv kernel", 0.4, 0.4);
  const { got, holds } = figure(results, "hop: CPU per GB / HAProxy splice");
  assert.equal(got, undefined);
  assert.equal(holds, undefined);
});

test("the round trip that counts is what a peer adds to the direct one", () => {
  const results = createResults();
  const trips = [
    ["direct", 5],
    ["rdv kernel", 15],
    ["socat", 25],
  ] as const;
  for (const [peer, value] of trips)
    results.add("hop", peer, { measure: "round trip", unit: "µs", column: "p50", value });
  assert.equal(figure(results, "hop: round trip added p50 / socat's").got, 0.5);
});

test("one waiting connection beside thousands of pairs does not spoil two descriptors a pair", () => {
  const results = createResults();
  const sample = { measure: "descriptors of an idle pair", unit: "", column: "relay" };
  results.add("hop", "rdv kernel", { ...sample, value: 2.01 });
  results.add("tunnel", "rdv kernel", { ...sample, value: 2.2 });
  assert.equal(figure(results, "hop: descriptors of an idle pair in the relay").holds, true);
  assert.equal(figure(results, "tunnel: descriptors of an idle pair in the relay").holds, false);
});
