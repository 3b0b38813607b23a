import type { Address, Context, Sample, Scenario } from "../model.ts";
import { memoryBytes, withDescendants } from "../process-usage.ts";
import { percentile, spread } from "../statistics.ts";
import { roundTrips } from "./round-trip.ts";

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;
const p99Turns = 3;

/** 1 GiB offered to a service that does not read: what the relay keeps of it, and what another connection notices. */
export const stoppedReader: Scenario = {
  name: "stopped-reader",
  kinds: ["hop", "tunnel"],
  run: async (context) => {
    const { load, running } = context;
    if (running.relayPids().length === 0) return [];
    const [stalled, other = stalled] = await running.addresses(2);
    const p99Before = await p99(context, other);
    const before = memory(context);
    const job = load.second.run({ type: "stall", address: stalled, bytes: gibibyte });
    try {
      await untilStuck(context);
      const p99During = await p99(context, other);
      const grown = memory(context) - before;
      return describe(grown, load.second.bytes[0] ?? 0, p99Before, p99During);
    } finally {
      load.second.stop();
      await job;
      await load.quiet();
    }
  },
};

/** The median of a few, since one p99 of some thousand round trips hangs on a handful; undefined for one-shot tunnels. */
async function p99(context: Context, address: Address): Promise<number | undefined> {
  if (!context.running.capacity.manyConnections) return undefined;
  const found: number[] = [];
  for (let turn = 0; turn < p99Turns; turn++) found.push(percentile(await roundTrips(context, address), 99));
  return spread(found).median;
}

/** Waits until the sender cannot send any more, or all is sent. */
async function untilStuck({ load, sleep }: Context): Promise<void> {
  for (let last = -1, turn = 0; turn < 40 && last !== load.second.bytes[0]; turn++) {
    last = load.second.bytes[0] ?? 0;
    await sleep(100);
  }
}

function memory({ running }: Context): number {
  return memoryBytes(withDescendants([...running.relayPids(), ...running.agentPids()]));
}

function describe(
  grown: number,
  taken: number,
  p99Before: number | undefined,
  p99During: number | undefined,
): Sample[] {
  const measure = "1 GiB offered to a stopped reader";
  const samples = [
    { measure, unit: "MiB", column: "memory grown by", value: grown / mebibyte },
    { measure, unit: "MiB", column: "taken from sender", value: taken / mebibyte },
  ];
  if (p99Before === undefined || p99During === undefined) return samples;
  const ratio = { measure: "another connection meanwhile", unit: "of its p99 before", column: "p99" };
  return [...samples, { ...ratio, value: p99During / p99Before }];
}
