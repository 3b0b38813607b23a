import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { listenTcp } from "../../net/listen.ts";
import { watchWaiting } from "../../relay-node/waiting-socket.ts";
import { dial, until } from "./harness.ts";

test("a flood is read up to the bound only; all of it is there when the socket is taken", async () => {
  await using pair = await connected();
  const watch = watchWaiting({
    socket: pair.server,
    earlyBytes: 65_536,
    onGone: () => assert.fail("still there"),
  });
  pair.client.write(Buffer.alloc(32 << 20, 7));
  await until(() => pair.server.isPaused(), "reading stops");
  const { early, socket, ended } = watch.take();
  assert(early.length >= 65_536 && pair.server.bytesRead < 1 << 20, `${pair.server.bytesRead} bytes read`);
  assert.equal(ended, false);
  let received = early.length;
  socket.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await until(() => received === 32 << 20, "the whole flood");
});

test("a reset is found also when the socket is not read any more", async () => {
  await using pair = await connected();
  const gone = Promise.withResolvers<void>();
  watchWaiting({ socket: pair.server, earlyBytes: 65_536, onGone: gone.resolve });
  pair.client.write(Buffer.alloc(8 << 20));
  await until(() => pair.server.isPaused(), "reading stops");
  pair.client.resetAndDestroy();
  await gone.promise;
});

test("FIN without a byte is a leaver, FIN after bytes is a finished speaker", async () => {
  await using silent = await connected();
  const gone = Promise.withResolvers<void>();
  watchWaiting({ socket: silent.server, earlyBytes: 100, onGone: gone.resolve });
  silent.client.end();
  await gone.promise;

  await using speaker = await connected();
  const finished = Promise.withResolvers<void>();
  const watch = watchWaiting({
    socket: speaker.server,
    earlyBytes: 100,
    onGone: () => assert.fail("it wants its answer"),
    onFinished: finished.resolve,
  });
  speaker.client.end("request");
  await finished.promise;
  const leg = watch.take();
  assert.equal(leg.early.toString(), "request");
  assert.equal(leg.ended, true);
});

test("a byte where none is allowed is told once, and nothing else after it", async () => {
  await using pair = await connected();
  const told: string[] = [];
  watchWaiting({
    socket: pair.server,
    earlyBytes: 0,
    onGone: () => told.push("gone"),
    onTooEarly: () => told.push("too early"),
  });
  pair.client.write("x");
  await until(() => told.length > 0, "told");
  pair.client.resetAndDestroy();
  pair.server.resume();
  await until(() => pair.server.destroyed, "closed");
  assert.deepEqual(told, ["too early"]);
});

test("a taken or released socket is watched no more", async () => {
  await using pair = await connected();
  const watch = watchWaiting({
    socket: pair.server,
    earlyBytes: 100,
    onGone: () => assert.fail("not watched"),
  });
  watch.take();
  assert.equal(pair.server.listenerCount("data") + pair.server.listenerCount("close"), 0);
  pair.client.resetAndDestroy();
  pair.server.resume();
  await until(() => pair.server.destroyed, "closed");
});

/** Both ends of one connection. */
async function connected() {
  const accepted = Promise.withResolvers<Socket>();
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: accepted.resolve });
  const client = await dial(listener.port);
  const server = await accepted.promise;
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.destroy();
      await listener[Symbol.asyncDispose]();
    },
  };
}
