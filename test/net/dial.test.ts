import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import {
  connect,
  createServer,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamilyAttemptTimeout,
} from "node:net";
import { test } from "node:test";
import { giveAddressesTime } from "../../net/address-time.ts";
import { dialTcp } from "../../net/dial.ts";
import { listenTcp } from "../../net/listen.ts";
import { until } from "../fixtures/within.ts";

const never = new AbortController().signal;

/** Documentation address (RFC 5737): nothing of this machine answers there. */
const silent = { host: "192.0.2.1", port: 9 };

const skip =
  process.platform === "linux" ? false : "needs 127.0.0.2, and a full backlog that drops what comes";

/** What `connect` asks the name service, which has no name with a slow address. */
type LookUp = [name: string, options: object, done: (error: null, addresses: readonly object[]) => void];

test("a refused connection is one clear line", async () => {
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: () => {} });
  await listener[Symbol.asyncDispose]();
  await assert.rejects(dialTcp({ host: "127.0.0.1", port: listener.port, signal: never }), {
    name: "RdvError",
    code: "unreachable",
    message: `Cannot reach 127.0.0.1:${listener.port}: nothing listens there (connection refused)`,
  });
});

test("a name with several addresses is reached by the one that answers", async () => {
  const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = await dialTcp({ host: "localhost", port, signal: never });
  assert.equal(socket.remotePort, port);
  socket.destroy();
  server.close();
});

test("a refused name with several addresses is one clear line too", async () => {
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: () => {} });
  await listener[Symbol.asyncDispose]();
  await assert.rejects(dialTcp({ host: "localhost", port: listener.port, signal: never }), {
    code: "unreachable",
    message: /^Cannot reach localhost:\d+: nothing listens there \(connection refused\)$/,
  });
});

test("a host that is slow to answer is reached although its other address is dead", { skip }, async (t) => {
  await using slow = await startSlowHost();
  const addresses = [slow.host, "127.0.0.3"].map((address) => ({ address, family: 4 }));
  const lookUp = t.mock.method(dns, "lookup", (...[, , done]: LookUp) => {
    if (lookUp.mock.callCount() > 0) slow.answer();
    done(null, addresses);
  });
  const socket = await dialTcp({ host: "slow.example", port: slow.port, signal: never });
  assert.equal(socket.remoteAddress, slow.host);
  socket.destroy();
});

test("whatever Node dials by itself gives a slow address its time, too", { skip }, async (t) => {
  const before = getDefaultAutoSelectFamilyAttemptTimeout();
  t.after(() => setDefaultAutoSelectFamilyAttemptTimeout(before));
  giveAddressesTime();
  await using slow = await startSlowHost();
  const addresses = [slow.host, "127.0.0.3"].map((address) => ({ address, family: 4 }));
  t.mock.method(dns, "lookup", (...[, , done]: LookUp) => {
    // Later than Node waits by default, and before the kernel asks once more.
    setTimeout(() => slow.answer(), 2 * before);
    done(null, addresses);
  });
  const socket = connect({ host: "slow.example", port: slow.port });
  await once(socket, "connect");
  assert.equal(socket.remoteAddress, slow.host);
  socket.destroy();
});

test("an attempt ends with the reason of its signal", async () => {
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const attempt = dialTcp({ ...silent, signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(attempt, reason);
  await assert.rejects(dialTcp({ ...silent, signal: controller.signal }), reason);
});

test("a signal that aborts later does not touch the connection", async () => {
  await using listener = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    onConnection: (socket) => void socket.pipe(socket),
  });
  const controller = new AbortController();
  const socket = await dialTcp({ host: listener.host, port: listener.port, signal: controller.signal });
  controller.abort();
  socket.write("echo");
  const [data] = (await once(socket, "data")) as [Buffer];
  assert.equal(data.toString(), "echo");
  socket.end();
  await once(socket, "close");
});

test("several connections leave from one local port, in the family that it names", async () => {
  const listeners = [await listen(), await listen()];
  const [first] = listeners;
  const one = await dialTcp({ host: "localhost", port: first?.port ?? 0, signal: never, local: any(0) });
  const local = any(one.localPort ?? 0);
  const other = await dialTcp({ host: "localhost", port: listeners[1]?.port ?? 0, signal: never, local });
  assert.equal(other.localPort, one.localPort);
  assert.equal(other.remoteFamily, "IPv4");
  for (const socket of [one, other]) socket.destroy();
  for (const listener of listeners) await listener[Symbol.asyncDispose]();

  function any(port: number): { address: string; port: number } {
    return { address: "0.0.0.0", port };
  }

  async function listen(): ReturnType<typeof listenTcp> {
    return await listenTcp({ host: "127.0.0.1", port: 0, onConnection: (socket) => socket.destroy() });
  }
});

/** A listener of which the kernel drops what comes, until it answers. */
async function startSlowHost() {
  await using held = new AsyncDisposableStack();
  const host = "127.0.0.2";
  const listen = `net.createServer(() => {}).listen({ host: "${host}", port: 0, backlog: 1 }, function () { console.log(this.address().port); })`;
  const child = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
  held.defer(() => {
    child.kill("SIGKILL");
  });
  const port = Number(String((await once(child.stdout, "data"))[0]));
  child.kill("SIGSTOP");
  await until(5_000, "a process that stands still", async () =>
    /\) T /.test(await readFile(`/proc/${child.pid}/stat`, "utf8")) ? true : undefined,
  );
  for (let filled = 0; filled < 2; filled += 1) {
    const socket = connect(port, host).on("error", () => {});
    held.defer(() => {
      socket.destroy();
    });
    await once(socket, "connect");
  }
  const all = held.move();
  return {
    host,
    port,
    answer: () => void child.kill("SIGCONT"),
    [Symbol.asyncDispose]: async () => all.disposeAsync(),
  };
}
