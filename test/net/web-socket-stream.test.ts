import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { openWebSocketStream } from "../../net/web-socket-dial.ts";
import { createWebSocketStream } from "../../net/web-socket-stream.ts";
import { limits } from "../../protocol/limits.ts";
import { createWireMaker } from "./pump/sockets.ts";

/** One end as a connection with a quick heartbeat, and the other as it comes. */
async function openPair(autoPong: boolean): Promise<AsyncDisposable & { stream: Socket; peer: WebSocket }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, autoPong });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const ws = new WebSocket(`ws://127.0.0.1:${port}`);
  const [[peer]] = await Promise.all([once(server, "connection") as Promise<[WebSocket]>, once(ws, "open")]);
  const where = { remoteAddress: "127.0.0.1", remotePort: port };
  const stream = createWebSocketStream(ws, { ...where, heartbeatMs: 20, deadAfterMs: 60 });
  return {
    stream,
    peer,
    async [Symbol.asyncDispose]() {
      stream.destroy();
      peer.terminate();
      server.close();
    },
  };
}

async function pings(peer: WebSocket, count: number): Promise<void> {
  for (let seen = 0; seen < count; seen += 1) await once(peer, "ping");
}

test("an idle connection is kept by pings for as long as they are answered", async () => {
  await using pair = await openPair(true);
  await pings(pair.peer, 10);
  assert.equal(pair.stream.destroyed, false);
});

test("a peer that answers no ping is gone", async () => {
  await using pair = await openPair(false);
  const [error] = (await once(pair.stream, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
});

test("a peer that was sent much may have stopped to read, and is left more time", async () => {
  await using pair = await openPair(false);
  pair.peer.on("message", () => {});
  pair.stream.write(Buffer.alloc(limits.webSocketFrameBytes));
  await pings(pair.peer, 10);
  assert.equal(pair.stream.destroyed, false);
});

test("an end that does not read does not take its own silence for the peer's", async () => {
  await using pair = await openPair(false);
  pair.stream.pause();
  for (let sent = 0; sent < 4; sent += 1) pair.peer.send(Buffer.alloc(limits.webSocketFrameBytes));
  await pings(pair.peer, 10);
  assert.equal(pair.stream.destroyed, false);
});

test("a write of nothing is no FIN, and a large one comes in pieces", async () => {
  await using pair = await openPair(true);
  const lengths: number[] = [];
  pair.peer.on("message", (data: Buffer) => lengths.push(data.length));
  pair.stream.write("");
  pair.stream.end(Buffer.alloc(limits.webSocketFrameBytes + 1));
  while (lengths.at(-1) !== 0) await once(pair.peer, "message");
  assert.deepEqual(lengths, [limits.webSocketFrameBytes, 1, 0]);
});

test("a WebSocket that is closed in order, but before both ends were said, is a reset", async () => {
  await using pair = await openPair(true);
  pair.stream.end();
  pair.peer.close(1000);
  const [error] = (await once(pair.stream, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
});

test("a message behind the FIN is a reset", async () => {
  await using pair = await openPair(true);
  pair.stream.resume();
  pair.peer.send(Buffer.alloc(0));
  pair.peer.send("late");
  const [error] = (await once(pair.stream, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
});

test("what was sent before both ends arrives although its reader comes late", async () => {
  await using pair = await openPair(true);
  pair.peer.pause();
  const size = 8 * 1024 * 1024;
  pair.peer.send(Buffer.alloc(0));
  pair.stream.resume().end(Buffer.alloc(size));
  await once(pair.stream, "end");
  let received = 0;
  pair.peer.on("message", (data: Buffer) => (received += data.length));
  pair.peer.resume();
  await once(pair.peer, "close");
  assert.equal(received, size);
});

test("a name that is none for a URL, which a proxy may well take, is an expected error", async () => {
  await using wires = await createWireMaker();
  const { outer, inner } = await wires.wire();
  inner.resume();
  const { signal } = new AbortController();
  const options = { where: "relay.1:443", path: "/v1/ws", signal, timeoutMs: 10_000 };
  await assert.rejects(openWebSocketStream(outer, options), { name: "RdvError", code: "unreachable" });
  assert.ok(outer.destroyed);
  inner.destroy();
});
