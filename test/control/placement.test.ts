import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseRelays, groupByLatency, loadOf, shuffle, spreadRelays } from "../../control/placement.ts";
import type { RelayEntry } from "../../control/placement.ts";
import type { Relay } from "../../protocol/api.ts";
import { limits } from "../../protocol/limits.ts";

const idle = { pairs: 0, sessions: 0, bytesPerSecond: 0, descriptors: 0, maxDescriptors: 1_000, lagMs: 0 };

function relay(id: string, changes: Partial<Relay> = {}, linked = true): RelayEntry {
  const base = {
    region: "eu",
    host: "h",
    sharedPort: 1,
    tls: null,
    ports: { from: 1, to: 100 },
    leases: 0,
    version: "1",
    seenAt: null,
  };
  return { relay: { id, state: "up", load: idle, ...base, ...changes }, linked };
}

test("load is the scarcest resource: ports, descriptors or the event loop", () => {
  assert.equal(loadOf(relay("a").relay), 0);
  assert.equal(loadOf(relay("a", { leases: 50 }).relay), 0.5);
  assert.equal(loadOf(relay("a", { leases: 10, load: { ...idle, descriptors: 800 } }).relay), 0.8);
  assert.equal(loadOf(relay("a", { load: { ...idle, lagMs: 200 } }).relay), 1);
  assert.equal(loadOf(relay("a", { load: null, leases: 20 }).relay), 0.2);
});

test("of two relays the less loaded one is first, whatever the chance", () => {
  const entries = [relay("busy", { leases: 90 }), relay("calm", { leases: 10 })];
  for (const random of [() => 0, () => 0.5, () => 0.99])
    assert.deepEqual(
      chooseRelays(entries, random, 0).map((entry) => entry.relay.id),
      ["calm", "busy"],
    );
});

test("of many relays two at random are compared, so that not everybody runs to the idlest one", () => {
  const entries = Array.from({ length: 10 }, (_, index) => relay(`r${index}`, { leases: index * 10 }));
  const first = new Set<string | undefined>();
  for (let seed = 1; seed <= 200; seed += 1) first.add(chooseRelays(entries, sequence(seed), 0)[0]?.relay.id);
  assert.ok(first.size > 3, "several relays are chosen");
  assert.ok(!first.has("r9"), "the busiest one never wins a comparison");
});

test("relays that are gone, draining, silent or out of descriptors are no choice; one without link is the last", () => {
  const entries = [
    relay("unlinked", {}, false),
    relay("gone", { state: "gone" }),
    relay("draining", { state: "draining" }),
    relay("full", { load: { ...idle, descriptors: 950 } }),
    relay("silent", { seenAt: new Date(60_000 - limits.deadAfterMs).toISOString() }),
    relay("busy", { leases: 99, seenAt: new Date(60_000).toISOString() }),
  ];
  assert.deepEqual(
    chooseRelays(entries, () => 0.3, 60_000).map((entry) => entry.relay.id),
    ["busy", "unlinked"],
  );
  assert.deepEqual(chooseRelays([], Math.random, 0), []);
});

test("the nearest region comes first, and regions within 10 ms of it are its equals", () => {
  const latencies = [
    { region: "far", ms: 180 },
    { region: "near", ms: 12 },
    { region: "as-near", ms: 21.9 },
    { region: "middle", ms: 22 },
  ];
  assert.deepEqual(groupByLatency(latencies), [["near", "as-near"], ["middle"], ["far"]]);
  assert.deepEqual(groupByLatency([]), []);
});

test("relays that carry a session together are in other regions, else on other hosts, never on one host", () => {
  const at = (id: string, region: string, host: string): RelayEntry => relay(id, { region, host });
  const candidates = [at("a", "eu", "h1"), at("b", "eu", "h1"), at("c", "eu", "h2"), at("d", "us", "h3")];
  const ids = (count: number, keep: Parameters<typeof spreadRelays>[1] = []): string[] =>
    spreadRelays(candidates, keep, count).map((entry) => entry.relay.id);
  assert.deepEqual(ids(1), ["a"]);
  assert.deepEqual(ids(2), ["a", "d"]);
  assert.deepEqual(ids(3), ["a", "d", "c"]);
  assert.deepEqual(ids(9), ["a", "d", "c"]);
  const kept = { relay: "x", region: "us", host: "h2", sharedPort: 1, clientPort: 2, tls: null };
  assert.deepEqual(ids(3, [kept]), ["a", "d"]);
});

test("a shuffle keeps every item and leaves the original alone", () => {
  const items = [1, 2, 3, 4, 5];
  const shuffled = shuffle(items, sequence(7));
  assert.deepEqual(items, [1, 2, 3, 4, 5]);
  assert.deepEqual(new Set(shuffled), new Set(items));
  assert.notDeepEqual(shuffled, items);
});

/** A small linear congruential generator: chance that is the same in every run. */
function sequence(seed: number): () => number {
  let state = seed * 7_919;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
