import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { dialTcp } from "../../net/dial.ts";
import { listenTcp } from "../../net/listen.ts";

const never = new AbortController().signal;

test("an accepted connection may answer after the peer's FIN", async () => {
  await using listener = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    onConnection: (socket) => void text(socket).then((said) => socket.end(`late answer to ${said}`)),
  });
  const socket = await dialTcp({ host: listener.host, port: listener.port, signal: never });
  socket.end("question");
  assert.equal(await text(socket), "late answer to question");
});

test("a port that another program has is told with what, where and what to do", async () => {
  await using taken = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    onConnection: (socket) => socket.destroy(),
  });
  await assert.rejects(listenTcp({ host: "127.0.0.1", port: taken.port, onConnection: () => {} }), {
    name: "RdvError",
    code: "port_in_use",
    message: `Cannot listen on 127.0.0.1:${taken.port}: another program does; choose another port or stop it`,
  });
});

test("an address that is not this machine's is told", async () => {
  await assert.rejects(listenTcp({ host: "192.0.2.1", port: 0, onConnection: () => {} }), {
    code: "failed",
    message: /192\.0\.2\.1:0: this machine has no such address/,
  });
});

test("connections beyond the bound are dropped and counted", async () => {
  const accepted: Socket[] = [];
  const first = Promise.withResolvers<void>();
  await using listener = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    maxConnections: 1,
    onConnection: (socket) => {
      accepted.push(socket);
      first.resolve();
    },
  });
  const one = await dialTcp({ host: listener.host, port: listener.port, signal: never });
  await first.promise;
  const two = connect(listener.port, listener.host).on("error", () => {});
  await once(two.resume(), "close");
  assert.equal(listener.dropped(), 1);
  assert.equal(accepted.length, 1);
  one.destroy();
  accepted[0]?.destroy();
});

test("a reset right after the accept does not end the process", async () => {
  const closed = Promise.withResolvers<boolean>();
  await using listener = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    onConnection: (socket) => void socket.resume().once("close", closed.resolve),
  });
  const socket = await dialTcp({ host: listener.host, port: listener.port, signal: never });
  socket.resetAndDestroy();
  assert.equal(await closed.promise, true, "closed with an error");
});

test("the port is free at once after the end, also with a connection still open", async () => {
  const accepted = Promise.withResolvers<Socket>();
  const first = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: accepted.resolve });
  const client = await dialTcp({ host: first.host, port: first.port, signal: never });
  const server = await accepted.promise;
  await first[Symbol.asyncDispose]();
  await using second = await listenTcp({ host: "127.0.0.1", port: first.port, onConnection: () => {} });
  assert.equal(second.port, first.port);
  server.end("still served");
  assert.equal(await text(client), "still served");
  client.destroy();
});
