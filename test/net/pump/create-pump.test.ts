import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { createPump } from "../../../net/create-pump.ts";
import { createLog, silentLog } from "../../../net/log.ts";
import { createPattern } from "./pattern.ts";
import { createRig, leg } from "./rig.ts";
import { receive, send } from "./sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const elsewhere = { platform: "darwin", arch: "arm64" };
const onLinux = { skip: process.platform === "linux" ? false : "the kernel pump needs Linux" };

test("auto takes the portable pump where the kernel pump cannot run, and says why in one line", async () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line), level: "debug" });
  await using pump = await createPump({ choice: "auto", log, system: elsewhere });
  assert.equal(pump.kind, "portable");
  assert.equal(lines.length, 1);
  assert.match(lines.join(""), /info pump: portable.*reason="it needs Linux, this is darwin"/);
});

test("kernel asked for by hand where it cannot run is an error that says why", async () => {
  await assert.rejects(
    createPump({ choice: "kernel", log: silentLog, system: { platform: "linux", arch: "ia32" } }),
    {
      name: "RdvError",
      code: "unsupported",
      message: "The kernel pump cannot run here: it needs x64 or arm64, this is ia32",
    },
  );
});

test("auto takes the kernel pump where it can run, without a word", onLinux, async () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line), level: "debug" });
  await using pump = await createPump({ choice: "auto", threads: 1, log });
  assert.equal(pump.kind, "kernel");
  await using rig = await createRig(pump);
  const { joined } = await rig.pair();
  assert.deepEqual(pump.stats(), { kernelPairs: 1, portablePairs: 0, threads: 1, workerCrashes: 0 });
  joined.cut();
  await joined.done;
  assert.deepEqual(pump.stats(), { kernelPairs: 0, portablePairs: 0, threads: 1, workerCrashes: 0 });
  assert.deepEqual(lines, []);
});

test("a pair with a TLS leg goes through the portable pump, and a cut shows below TLS", onLinux, async () => {
  await using stack = new AsyncDisposableStack();
  const pump = stack.use(await createPump({ choice: "kernel", threads: 1, log: silentLog }));
  const rig = stack.use(await createRig(pump));
  const [whole, cut] = [await tlsWire(stack), await tlsWire(stack)];

  const plain = await rig.wire();
  const joined = pump.join(leg(whole.inner), leg(plain.inner));
  assert.equal(pump.stats().portablePairs, 1);
  const got = Promise.all([receive(plain.outer, up), receive(whole.outer, down)]);
  await Promise.all([send(whole.outer, up, 3_000_000), send(plain.outer, down, 5_000_000)]);
  assert.deepEqual(await got, [
    { bytes: 3_000_000, end: "fin" },
    { bytes: 5_000_000, end: "fin" },
  ]);
  assert.equal((await joined.done).outcome, "closed");

  const other = await rig.wire();
  const doomed = pump.join(leg(cut.inner), leg(other.inner));
  const ends = Promise.all([receive(cut.outer, down), receive(other.outer, up)]);
  doomed.cut();
  assert.deepEqual(
    (await ends).map(({ end }) => end),
    ["reset", "reset"],
  );
  assert.equal((await doomed.done).outcome, "cut");
});

test("a pair with a Unix socket goes through the portable pump", onLinux, async () => {
  await using stack = new AsyncDisposableStack();
  const pump = stack.use(await createPump({ choice: "kernel", threads: 1, log: silentLog }));
  const rig = stack.use(await createRig(pump));
  const folder = await mkdtemp(join(tmpdir(), "rdv-"));
  stack.defer(async () => await rm(folder, { recursive: true }));
  const server = createServer({ allowHalfOpen: true }).listen(join(folder, "socket"));
  stack.defer(() => void server.close());
  await once(server, "listening");
  const outer = connect({ path: join(folder, "socket"), allowHalfOpen: true });
  const [inner] = (await once(server, "connection")) as [Socket];

  const plain = await rig.wire();
  const joined = pump.join(leg(inner), leg(plain.inner));
  assert.equal(pump.stats().portablePairs, 1);
  const got = receive(plain.outer, up);
  await send(outer, up, 1_000_000);
  assert.deepEqual(await got, { bytes: 1_000_000, end: "fin" });
  plain.outer.end();
  assert.equal((await joined.done).outcome, "closed");
});

/** Both ends of a TLS connection; a key that both know saves the certificate. */
async function tlsWire(stack: AsyncDisposableStack): Promise<{ outer: Socket; inner: Socket }> {
  const psk = Buffer.alloc(32, 7);
  const ciphers = "PSK-AES128-GCM-SHA256";
  const common = { ciphers, maxVersion: "TLSv1.2", allowHalfOpen: true } as const;
  const server = createTlsServer({ ...common, pskCallback: () => psk }).listen(0, "127.0.0.1");
  stack.defer(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number }; // a TCP listener that listens has a port
  const outer = connectTls({
    ...common,
    port,
    host: "127.0.0.1",
    pskCallback: () => ({ psk, identity: "test" }),
    checkServerIdentity: () => undefined,
  });
  const [inner] = (await once(server, "secureConnection")) as [Socket];
  return { outer, inner };
}
