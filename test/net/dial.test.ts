import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { dialTcp } from "../../net/dial.ts";
import { listenTcp } from "../../net/listen.ts";

const never = new AbortController().signal;

/** Documentation address (RFC 5737): nothing of this machine answers there. */
const silent = { host: "192.0.2.1", port: 9 };

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
