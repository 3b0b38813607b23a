import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { createKernelPump, type KernelPump } from "../../../net/kernel/kernel-pump.ts";
import { createLog, silentLog } from "../../../net/log.ts";
import type { Pump } from "../../../net/pump.ts";
import { createPattern } from "./pattern.ts";
import { createRig, type TestPair } from "./rig.ts";
import { createWireMaker, receive, send } from "./sockets.ts";

const onLinux = { skip: process.platform === "linux" ? false : "the kernel pump needs Linux" };
const up = createPattern(1);

test(
  "a worker that dies takes its own pairs only, is counted, logged and started again",
  onLinux,
  async () => {
    const lines: string[] = [];
    const log = createLog({ write: (line) => lines.push(line), level: "info" });
    await openResolver();
    const before = descriptors();
    await using stack = new AsyncDisposableStack();
    const pump = stack.use(await createKernelPump({ threads: 2, log }));
    const rig = stack.use(await createRig(asPump(pump)));
    const pairs = await Promise.all(Array.from({ length: 5 }, () => rig.pair()));
    for (const pair of pairs) await fillPipe(pair);

    pump.failBusiestWorker();
    const [doomed, others] = [pairs.filter((_, index) => index % 2 === 0), [pairs[1], pairs[3]]]; // placed in turn
    for (const { joined } of doomed) assert.equal((await joined.done).outcome, "cut");
    assert.deepEqual(pump.stats(), { pairs: 2, threads: 2, crashes: 1 });
    assert.match(
      lines.join(""),
      /error pump: a worker thread died worker=0 pairsCut=3 reason="the worker was told to fail"/,
    );

    for (const pair of await Promise.all(Array.from({ length: 4 }, () => rig.pair())))
      await runToEnd(pair, 0);
    for (const pair of others) if (pair) await runToEnd(pair, hello.length);

    await stack.disposeAsync();
    assert.equal(descriptors(), before);
  },
);

test("without a pipe to be had, bulk is copied and nothing is lost", onLinux, async () => {
  await using pump = await createKernelPump({ threads: 1, log: silentLog, tuning: { mostPipes: 0 } });
  await using rig = await createRig(asPump(pump));
  const { client, service, joined } = await rig.pair();
  const got = Promise.all([receive(service, up), receive(client, up)]);
  const hold = setInterval(() => {
    service.pause();
    setTimeout(() => service.resume(), 5);
  }, 10); // the sink fills up again and again, so that parts of reads are left over
  await Promise.all([send(client, up, 30_000_001), send(service, up, 20_000_001)]);
  assert.deepEqual(await got, [
    { bytes: 30_000_001, end: "fin" },
    { bytes: 20_000_001, end: "fin" },
  ]);
  clearInterval(hold);
  assert.equal((await joined.done).outcome, "closed");
});

test("a process that exits does not wait for its workers' sleep", onLinux, async () => {
  const child = spawn(process.execPath, [new URL("./exiting-process.ts", import.meta.url).pathname], {
    stdio: "inherit",
  });
  const started = performance.now();
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 7);
  assert.ok(performance.now() - started < 10_000, "a worker sleeps for up to 15 s");
});

const hello = Buffer.from("hello");

/** Leaves bytes in flight that nobody takes. */
async function fillPipe({ client, service }: TestPair): Promise<void> {
  client.write(hello);
  await once(service, "readable");
  service.read();
}

async function runToEnd({ client, service, joined }: TestPair, already: number): Promise<void> {
  const got = receive(service, up);
  await send(client, up, 3_000_000);
  assert.deepEqual(await got, { bytes: 3_000_000, end: "fin" });
  service.end();
  assert.deepEqual(await joined.done, { outcome: "closed", aToB: 3_000_000 + already, bToA: 0 });
}

function asPump(kernel: KernelPump): Pump {
  return {
    kind: "kernel",
    join(a, b, options) {
      const joined = kernel.tryJoin(a, b, options);
      if (joined === undefined) throw new Error("the kernel pump should have taken this pair");
      return joined;
    },
    [Symbol.asyncDispose]: async () => await kernel[Symbol.asyncDispose](),
  };
}

/** Node opens its resolver with the first listener and keeps it, with musl at the price of a descriptor. */
async function openResolver(): Promise<void> {
  const maker = await createWireMaker();
  await maker[Symbol.asyncDispose]();
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
