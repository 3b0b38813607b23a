import type { Scenario } from "../model.ts";
import { spread } from "../statistics.ts";

const idleMs = 100;

/** Time from connect to the first byte when nothing had happened for a while. */
export const firstByte: Scenario = {
  name: "first-byte",
  kinds: ["hop", "tunnel"],
  run: async ({ running, load, quick, sleep }) => {
    const times: number[] = [];
    for (let attempt = 0; attempt < (quick ? 3 : 5); attempt++) {
      const addresses = await running.addresses(1);
      await sleep(idleMs);
      const { timesMs } = await load.client.run({
        type: "open",
        addresses,
        count: 1,
        concurrency: 1,
        pauseMs: 0,
        maxMs: 1_000,
        keep: false,
      });
      times.push(...timesMs);
      await load.quiet();
    }
    if (times.length === 0) throw new Error("no connection got an answer");
    return [
      {
        measure: "first byte through an idle session",
        unit: "ms",
        column: "median",
        value: spread(times).median,
      },
    ];
  },
};
