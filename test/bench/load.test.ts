import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { startLoad } from "../../bench/load/load.ts";
import type { Load } from "../../bench/load/load.ts";

const linuxOnly = { skip: process.platform !== "linux" && "the load generators call Linux" };

/** Resolves when the counter has moved; the test's own time limit is the bound. */
async function moved(counter: Float64Array): Promise<void> {
  while ((counter[0] ?? 0) === 0) await new Promise((resolve) => setImmediate(resolve));
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

async function stream(load: Load, direction: "up" | "down"): Promise<void> {
  const job = load.client.run({ type: "streams", direction, addresses: [load.service] });
  await moved(direction === "up" ? load.serviceBytes : load.client.bytes);
  load.client.stop();
  await job;
  await load.quiet();
  load.serviceBytes.fill(0);
}

test("streams are counted where they arrive, in both directions", linuxOnly, async () => {
  await using load = await startLoad();
  await stream(load, "up");
  await stream(load, "down");
});

test("a ping job gives as many round trips as it was asked for", linuxOnly, async () => {
  await using load = await startLoad();
  const { timesMs } = await load.client.run({ type: "ping", address: load.service, warmup: 5, count: 50 });
  assert.equal(timesMs.length, 50);
  assert.ok(timesMs.every((time) => time > 0));
});

test("connections are opened, counted and, when kept, closed by a release", linuxOnly, async () => {
  await using load = await startLoad();
  for (const client of [load.client, load.second]) await client.run({ type: "release" }); // both threads are up
  const before = descriptors();
  const job = {
    type: "open",
    addresses: [load.service],
    count: 40,
    concurrency: 8,
    pauseMs: 0,
    maxMs: 5_000,
  } as const;
  const opened = await load.client.run({ ...job, keep: true });
  assert.deepEqual([opened.timesMs.length, opened.failed], [40, 0]);
  assert.ok(descriptors() >= before + 80, "both ends of each are open");
  await load.client.run({ type: "release" });
  await load.quiet();
  assert.equal(descriptors(), before);
});

test("connections that nobody accepts are failures, not times", linuxOnly, async () => {
  await using load = await startLoad();
  const nobody = { host: "127.0.0.1", port: 1 };
  const job = {
    type: "open",
    addresses: [nobody],
    count: 3,
    concurrency: 1,
    pauseMs: 0,
    maxMs: 5_000,
    keep: false,
  } as const;
  const { timesMs, failed } = await load.client.run(job);
  assert.deepEqual([timesMs.length, failed], [0, 3]);
});

test(
  "a sender to a service that does not read is stuck with a bounded number of bytes",
  linuxOnly,
  async () => {
    await using load = await startLoad();
    const job = load.second.run({ type: "stall", address: load.service, bytes: 1024 ** 3 });
    await moved(load.second.bytes);
    load.second.stop();
    await job;
    assert.ok((load.second.bytes[0] ?? 0) < 1024 ** 3);
  },
);

test("a job that cannot begin fails with the reason", linuxOnly, async () => {
  await using load = await startLoad();
  const nobody = { host: "127.0.0.1", port: 1 };
  await assert.rejects(
    load.client.run({ type: "ping", address: nobody, warmup: 0, count: 1 }),
    /127\.0\.0\.1:1/,
  );
});
