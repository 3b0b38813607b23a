import assert from "node:assert/strict";
import { test } from "node:test";
import { startLoad } from "../../bench/load/load.ts";
import type { Peer, Scenario } from "../../bench/model.ts";
import { direct } from "../../bench/peers/direct.ts";
import { createResults } from "../../bench/results.ts";
import { runPlan } from "../../bench/run-plan.ts";
import { roundTrip } from "../../bench/scenarios/round-trip.ts";

const linuxOnly = { skip: process.platform !== "linux" && "the load generators call Linux" };
const broken: Peer = {
  ...direct,
  name: "broken",
  start: async () => await Promise.reject(new Error("no such thing")),
};

test(
  "a peer that does not start is a problem in the report, and the others are measured",
  linuxOnly,
  async () => {
    await using load = await startLoad();
    const results = createResults();
    const plan = {
      kinds: ["hop"],
      peers: [broken, direct],
      scenarios: [roundTrip],
      rounds: 2,
      quick: true,
    } as const;
    await runPlan(plan, { load, results, progress: () => {}, signal: new AbortController().signal });
    assert.deepEqual(results.problems(), ["hop: broken did not start: no such thing"]);
    assert.deepEqual(
      results.series().map(({ peer, column, values }) => [peer, column, values.length]),
      [
        ["direct", "p50", 2],
        ["direct", "p99", 2],
      ],
    );
  },
);

test("within a round each scenario takes the peers in turn", linuxOnly, async () => {
  await using load = await startLoad();
  const order: string[] = [];
  const scenario = (name: string): Scenario => ({
    name,
    kinds: ["hop"],
    run: async ({ running }) => {
      order.push(`${name}:${(await running.addresses(1))[0].host}`);
      return [];
    },
  });
  const peer = (host: string): Peer => ({
    ...direct,
    start: async (kind) => await direct.start(kind, { host, port: 1 }),
  });
  const plan = {
    kinds: ["hop"],
    peers: [peer("a"), peer("b")],
    scenarios: [scenario("x"), scenario("y")],
    rounds: 2,
    quick: true,
  } as const;
  await runPlan(plan, {
    load,
    results: createResults(),
    progress: () => {},
    signal: new AbortController().signal,
  });
  assert.deepEqual(order, ["x:a", "x:b", "y:a", "y:b", "x:a", "x:b", "y:a", "y:b"]);
});

test("an interrupt ends the run, and the started peers with it", linuxOnly, async () => {
  await using load = await startLoad();
  const interrupt = new AbortController();
  let disposed = 0;
  const peer: Peer = {
    ...direct,
    start: async (kind, service) => {
      const running = await direct.start(kind, service);
      return { ...running, [Symbol.asyncDispose]: async () => await Promise.resolve(void disposed++) };
    },
  };
  const stop: Scenario = {
    name: "stop",
    kinds: ["hop"],
    run: async ({ sleep }) => {
      interrupt.abort();
      await sleep(60_000);
      return [];
    },
  };
  const plan = {
    kinds: ["hop", "tunnel"],
    peers: [peer],
    scenarios: [stop],
    rounds: 5,
    quick: true,
  } as const;
  const results = createResults();
  await assert.rejects(runPlan(plan, { load, results, progress: () => {}, signal: interrupt.signal }), {
    name: "AbortError",
  });
  assert.equal(disposed, 1);
  assert.deepEqual(results.problems(), []);
});

test("a scenario is left out of the kinds that it does not measure", linuxOnly, async () => {
  await using load = await startLoad();
  const ran: string[] = [];
  const scenario = (name: string, kinds: Scenario["kinds"]): Scenario => ({
    name,
    kinds,
    run: async ({ kind }) => {
      ran.push(`${name} of ${kind}`);
      return await Promise.resolve([]);
    },
  });
  const plan = {
    kinds: ["hop", "modes"],
    peers: [{ ...direct, kinds: ["hop", "modes"] }],
    scenarios: [scenario("idle", ["hop"]), scenario("speed", ["hop", "modes"])],
    rounds: 1,
    quick: true,
  } as const;
  const deps = { load, results: createResults(), progress: () => {}, signal: new AbortController().signal };
  await runPlan(plan, deps);
  assert.deepEqual(ran, ["idle of hop", "speed of hop", "speed of modes"]);
});
