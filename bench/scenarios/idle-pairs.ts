import type { Addresses, Context, Running, Sample, Scenario } from "../model.ts";
import { descriptorCount, memoryBytes, withDescendants } from "../process-usage.ts";

const settleMs = 400;
const warmUpConnections = 1_000;

/** What thousands of open, silent connections cost in user space, from a fresh start. */
export const idlePairs: Scenario = {
  name: "idle-pairs",
  kinds: ["hop", "tunnel"],
  run: async (context) => {
    if (context.running.relayPids().length === 0 || context.running.capacity.idlePairs === 0) return [];
    await using fresh = await context.startFresh();
    const pairs = context.quick ? Math.min(1_000, fresh.capacity.idlePairs) : fresh.capacity.idlePairs;
    return await measure(context, fresh, pairs);
  },
};

async function measure(context: Context, fresh: Running, pairs: number): Promise<Sample[]> {
  const { load, sleep } = context;
  const addresses = await fresh.addresses(pairs);
  await warmUp(context, addresses, Math.min(pairs, warmUpConnections));
  await sleep(settleMs);
  const before = look(fresh);
  try {
    await open(context, addresses, pairs);
    await sleep(settleMs);
    return describe(before, look(fresh), pairs);
  } finally {
    await load.client.run({ type: "release" });
    await load.quiet();
  }
}

/** A program that has worked before has its code compiled and its heap grown; what a pair adds is then the pair's. */
async function warmUp({ load }: Context, addresses: Addresses, count: number): Promise<void> {
  await load.client.run({
    type: "open",
    addresses,
    count,
    concurrency: 32,
    pauseMs: 0,
    maxMs: 5_000,
    keep: false,
  });
  await load.quiet();
}

async function open({ load }: Context, addresses: Addresses, count: number): Promise<void> {
  const { failed } = await load.client.run({
    type: "open",
    addresses,
    count,
    concurrency: 32,
    pauseMs: 0,
    maxMs: 20_000,
    keep: true,
  });
  if (failed > 0) throw new Error(`${failed} of ${count} idle connections could not be opened`);
}

interface Look {
  readonly memory: number;
  readonly descriptors: number;
}

function look(running: Running): { relay: Look; agent: Look } {
  const at = (roots: readonly number[]): Look => {
    const pids = withDescendants(roots);
    return { memory: memoryBytes(pids), descriptors: descriptorCount(pids) };
  };
  return { relay: at(running.relayPids()), agent: at(running.agentPids()) };
}

function describe(before: ReturnType<typeof look>, after: ReturnType<typeof look>, pairs: number): Sample[] {
  const sides = after.agent.descriptors > 0 ? (["relay", "agent"] as const) : (["relay"] as const);
  return sides.flatMap((side) => [
    {
      measure: "memory of an idle pair, user space",
      unit: "KiB",
      column: side,
      value: (after[side].memory - before[side].memory) / pairs / 1024,
    },
    {
      measure: "descriptors of an idle pair",
      unit: "",
      column: side,
      value: (after[side].descriptors - before[side].descriptors) / pairs,
    },
  ]);
}
