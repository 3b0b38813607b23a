import type { Scenario } from "../model.ts";
import { percentile } from "../statistics.ts";

const concurrency = 32;
const warmUpMs = 700;
const measuredMs = 1_200;

/** Connections a second, 32 at once, each until its first byte has come back. */
export const connections: Scenario = {
  name: "connections",
  kinds: ["hop", "tunnel"],
  run: async ({ running, load, quick, sleep }) => {
    if (!running.capacity.manyConnections) return [];
    const addresses = await running.addresses(1);
    const open = { type: "open", addresses, count: 20_000, concurrency, pauseMs: 0, keep: false } as const;
    /* Compiles the code and fills the tables of a program that has slept since the last round. */
    await load.client.run({ ...open, maxMs: quick ? 200 : warmUpMs });
    await load.quiet();
    /* A pool of waiting halves that was emptied is full again after this. */
    await sleep(200);
    const { timesMs, failed, elapsedMs } = await load.client.run({
      ...open,
      maxMs: quick ? 400 : measuredMs,
    });
    await load.quiet();
    if (timesMs.length === 0) throw new Error(`none of ${failed} connections got an answer`);
    const latency = { measure: "connect to first byte, 32 at once", unit: "ms" };
    return [
      {
        measure: "connections",
        unit: "a second",
        column: "rate",
        value: (timesMs.length / elapsedMs) * 1000,
      },
      {
        measure: "connections",
        unit: "a second",
        column: "failed, of 1000",
        value: (failed / (timesMs.length + failed)) * 1000,
      },
      { ...latency, column: "p50", value: percentile(timesMs, 50) },
      { ...latency, column: "p99", value: percentile(timesMs, 99) },
    ];
  },
};
