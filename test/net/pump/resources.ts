import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createPump } from "../../../net/create-pump.ts";
import { silentLog } from "../../../net/log.ts";
import type { PumpKind } from "../../../net/pump.ts";
import { createPattern } from "./pattern.ts";
import { createRig, type Rig } from "./rig.ts";
import { send } from "./sockets.ts";

const mib = 1024 * 1024;

/** What a pump may hold on to, in descriptors and in memory. Runs alone in its process. */
export function testResources(kind: PumpKind, mostMemory: number): void {
  const onLinux = { skip: process.platform === "linux" ? false : "it reads /proc" };

  describe(`${kind} pump`, onLinux, () => {
    test("10,000 pairs that came and went leave no descriptor behind", async () => {
      await using pump = await createPump({ choice: kind, threads: 2, log: silentLog });
      await using rig = await createRig(pump);
      await comeAndGo(rig, 300);
      const before = descriptors();
      await comeAndGo(rig, 10_000);
      await settled(() => descriptors() <= before);
      assert.deepEqual(
        { ...pump.stats(), threads: 0 },
        { kernelPairs: 0, portablePairs: 0, threads: 0, workerCrashes: 0 },
      );
    });

    test("a pump that is disposed leaves no descriptor and no thread behind", async () => {
      const warm = await createPump({ choice: kind, threads: 1, log: silentLog });
      await warm[Symbol.asyncDispose]();
      const before = { files: descriptors(), threads: threads() };
      for (let round = 0; round < 3; round += 1) {
        await using pump = await createPump({ choice: kind, threads: 2, log: silentLog });
        await using rig = await createRig(pump);
        const pairs = await Promise.all(Array.from({ length: 20 }, () => rig.pair()));
        for (const { client } of pairs) void send(client, createPattern(1), 8 * mib);
        await delay(20);
        await pump[Symbol.asyncDispose]();
      }
      await settled(() => descriptors() <= before.files && threads() <= before.threads);
    });

    test(`1 GiB to a slow reader passes in ${mostMemory / mib} MiB of memory`, async () => {
      await using hop = await startHop(kind);
      await transfer(hop.port, hop.arrivals, (kind === "kernel" ? 128 : 512) * mib);
      await delay(500);
      // Node's buffers are freed when V8 likes: what a first transfer took at its height is no growth.
      const before = kind === "kernel" ? hop.memory() : hop.peak();
      hop.forgetPeak();
      await transfer(hop.port, hop.arrivals, 1_024 * mib);
      const grown = hop.peak() - before;
      assert.ok(grown <= mostMemory, `memory grew by ${Math.round(grown / 1024)} KiB`);
    });
  });
}

/** Pairs that end in all the usual ways, 50 at a time. */
async function comeAndGo(rig: Rig, pairs: number): Promise<void> {
  let left = pairs;
  const lane = async (): Promise<void> => {
    for (; left > 0; left -= 1) {
      const { client, service, joined } = await rig.pair();
      if (left % 3 === 0) client.write("hello");
      if (left % 5 === 0) service.resetAndDestroy();
      else if (left % 7 === 0) joined.cut();
      else service.resume().end();
      client.resume().end();
      await joined.done;
      for (const outer of [client, service]) outer.destroy(); // Node does not look for RST after FIN
    }
  };
  await Promise.all(Array.from({ length: 50 }, lane));
}

/** Sends through the hop to a reader that rests again and again. */
async function transfer(port: number, arrivals: AsyncIterator<Socket>, bytes: number): Promise<void> {
  const client = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const { value: service } = await arrivals.next();
  const sent = send(client, createPattern(1), bytes);
  let rest = 8 * mib;
  service.on("data", () => {
    if (service.bytesRead < rest) return;
    rest += 8 * mib;
    service.pause();
    setTimeout(() => service.resume(), 5);
  });
  await once(service, "end");
  await sent;
  service.end();
  client.resume();
  await once(client, "close");
  assert.equal(service.bytesRead, bytes);
}

async function startHop(kind: PumpKind) {
  const stack = new AsyncDisposableStack();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }).listen(0, "127.0.0.1");
  stack.defer(() => void server.close());
  const arrivals = connections(server);
  await once(server, "listening");
  const { port: targetPort } = server.address() as { port: number }; // a TCP listener that listens has a port
  const program = new URL("./hop-process.ts", import.meta.url).pathname;
  const hop = spawn(process.execPath, [program, kind, String(targetPort)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  stack.defer(async () => {
    hop.kill();
    await once(hop, "exit");
  });
  const [line] = (await once(hop.stdout, "data")) as [Buffer];
  const status = (field: string): number => {
    const text = readFileSync(`/proc/${hop.pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1024;
  };
  return {
    port: Number(line.toString()),
    arrivals,
    memory: () => status("VmRSS"),
    peak: () => status("VmHWM"),
    /** Makes the peak begin anew (proc(5), clear_refs). */
    forgetPeak: () => writeFileSync(`/proc/${hop.pid}/clear_refs`, "5"),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

async function* connections(server: ReturnType<typeof createServer>): AsyncGenerator<Socket, never> {
  for (;;) {
    const [socket] = (await once(server, "connection")) as [Socket];
    yield socket;
  }
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function threads(): number {
  return readdirSync("/proc/self/task").length;
}

/** The kernel and the garbage collector may be a moment late; a leak stays. */
async function settled(isSettled: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !isSettled(); tries += 1) await delay(50);
  assert.ok(isSettled(), `still ${descriptors()} descriptors and ${threads()} threads`);
}
