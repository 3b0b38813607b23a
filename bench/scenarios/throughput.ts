import type { Context, Sample, Scenario } from "../model.ts";
import type { Direction } from "../load/jobs.ts";
import { cpuSeconds, withDescendants } from "../process-usage.ts";

const streamCounts = [1, 8, 100];
const directions: readonly Direction[] = ["up", "down"];
const patienceMs = 3_000;
const warmUpMs = 150;
const windowMs = 400;
/** Long enough that each of a hundred processes, for the peers that fork, has had its turns. */
const manyWindowMs = 800;

/** Bytes a second of 1, 8 and 100 streams each way, the CPU time they cost, and how evenly they share. */
export const throughput: Scenario = {
  name: "throughput",
  kinds: ["hop", "tunnel", "modes"],
  run: async (context) => {
    const samples: Sample[] = [];
    for (const streams of streamCounts.filter((count) => count <= context.running.capacity.streams))
      for (const direction of directions) samples.push(...(await measure(context, streams, direction)));
    return samples;
  },
};

/** Modes that agree on keys first take a moment to begin; a stream that never does is for the numbers to show. */
async function untilFlowing(counters: Float64Array, streams: number, { sleep }: Context): Promise<void> {
  const end = performance.now() + patienceMs;
  while (counters.subarray(0, streams).some((bytes) => bytes === 0) && performance.now() < end)
    await sleep(5);
}

interface Reading {
  readonly atMs: number;
  readonly bytes: readonly number[];
  readonly relayCpu: number;
  readonly agentCpu: number;
  readonly clientCpu: number;
}

async function measure(context: Context, streams: number, direction: Direction): Promise<Sample[]> {
  const { load, running, quick } = context;
  const addresses = await running.addresses(streams);
  load.serviceBytes.fill(0);
  const job = load.client.run({ type: "streams", direction, addresses });
  try {
    const counters = direction === "up" ? load.serviceBytes : load.client.bytes;
    await Promise.race([untilFlowing(counters, streams, context), job]);
    await Promise.race([context.sleep(warmUpMs), job]);
    const begin = read(context, counters, streams);
    await Promise.race([context.sleep((streams === 100 ? manyWindowMs : windowMs) / (quick ? 2 : 1)), job]);
    return describe(begin, read(context, counters, streams), streams, direction, context);
  } finally {
    load.client.stop();
    await job;
    await load.quiet();
  }
}

function read({ running }: Context, counters: Float64Array, streams: number): Reading {
  return {
    atMs: performance.now(),
    bytes: [...counters.subarray(0, streams)],
    relayCpu: cpuSeconds(withDescendants(running.relayPids())),
    agentCpu: cpuSeconds(withDescendants(running.agentPids())),
    clientCpu: cpuSeconds(withDescendants(running.clientPids?.() ?? [])),
  };
}

function describe(
  begin: Reading,
  end: Reading,
  streams: number,
  direction: Direction,
  { running, kind }: Context,
): Sample[] {
  const moved = end.bytes.map((bytes, slot) => bytes - (begin.bytes[slot] ?? 0));
  const total = moved.reduce((sum, bytes) => sum + bytes, 0);
  const column = `${streams} ${direction}`;
  /* A stream that is stuck has a throughput, and nothing else that could be told of it. */
  if (total === 0) return [{ measure: "throughput", unit: "Gbit/s", column, value: 0 }];
  const relay = (end.relayCpu - begin.relayCpu) / (total / 1e9);
  const whole = relay + (end.agentCpu - begin.agentCpu) / (total / 1e9);
  const all = whole + (end.clientCpu - begin.clientCpu) / (total / 1e9);
  const samples = [
    { measure: "throughput", unit: "Gbit/s", column, value: (total * 8) / 1e6 / (end.atMs - begin.atMs) },
  ];
  if (running.relayPids().length > 0)
    samples.push({ measure: "CPU of the relay", unit: "s/GB", column, value: relay });
  if (kind === "tunnel" && running.agentPids().length > 0)
    samples.push({ measure: "CPU of relay and agent", unit: "s/GB", column, value: whole });
  if (kind === "modes")
    samples.push({ measure: "CPU of relay, agent and client", unit: "s/GB", column, value: all });
  if (streams === 100)
    samples.push({
      measure: "share of the slowest stream",
      unit: "of the fastest",
      column,
      value: Math.min(...moved) / Math.max(...moved),
    });
  return samples;
}
