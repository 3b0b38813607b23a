import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { openHalf } from "../../agent/half.ts";
import type { Half } from "../../agent/half.ts";
import type { HalfFailure } from "../../agent/pool.ts";
import { formatPaired, waitingAnswer } from "../../protocol/handshake.ts";
import { readToEnd } from "../fixtures/clients.ts";
import { until } from "../fixtures/within.ts";
import { startLocalService } from "./local-service.ts";

const paired = formatPaired({ pair: "p1", client: "192.0.2.1:5", demand: 3, ticketed: false });

/** A half to `port`, with what it was told in order and a promise of its end. */
function half(port: number, dialMs = 5_000) {
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<{
    failure?: HalfFailure;
    socket?: Socket;
    early?: string;
  }>();
  const opened: Half = openHalf({
    kind: "agent",
    relay: { host: "127.0.0.1", sharedPort: port, tls: null, ticket: "the-ticket" },
    dialMs,
    onAccepted: () => told.push("accepted"),
    onPaired: (head, socket, early) => {
      told.push(`paired ${head.pair} ${head.client} ${head.demand}`);
      resolve({ socket, early: early.toString("latin1") });
    },
    onLost: (failure) => {
      told.push(failure.type);
      resolve({ failure });
    },
  });
  return { told, ended: promise, close: () => opened.close() };
}

test("says who it is, waits after 100, and hands over every byte behind the 101", async () => {
  await using relay = await startLocalService();
  const mine = half(relay.port);
  const socket = await relay.connection();
  const [request] = await new Promise<string[]>((resolve) =>
    socket.once("data", (data) => resolve([String(data)])),
  );
  assert.match(
    request ?? "",
    /^GET \/v1\/agent HTTP\/1\.1\r\n[\s\S]*Expect: 100-continue\r\nAuthorization: Bearer the-ticket\r\n\r\n$/,
  );
  socket.write(`${waitingAnswer}${paired}\xff\x00early`, "latin1");
  const { socket: own, early } = await mine.ended;
  assert.deepEqual(mine.told, ["accepted", "paired p1 192.0.2.1:5 3"]);
  assert.equal(early, "\xff\x00early");
  own?.destroy();
});

test("understands an answer that comes byte by byte, and one without a 100", async () => {
  await using relay = await startLocalService((socket) => {
    void (async () => {
      for (const byte of paired)
        await new Promise<void>((resolve) => socket.write(byte, () => setImmediate(resolve)));
    })();
  });
  const mine = half(relay.port);
  (await mine.ended).socket?.destroy();
  assert.deepEqual(mine.told, ["accepted", "paired p1 192.0.2.1:5 3"]);
});

const body = JSON.stringify({
  type: "urn:rdv:error:too_many",
  title: "t",
  status: 429,
  detail: "slower",
  code: "too_many",
});
const endings: readonly (readonly [string, string, Partial<HalfFailure>])[] = [
  [
    "a refusal with its code and Retry-After",
    `HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    { type: "refused", code: "too_many", retryAfterMs: 7_000, reason: "slower" },
  ],
  ["a refusal by something that is no relay", "HTTP/1.1 503 Busy\r\n\r\n<html>", { type: "unreachable" }],
  ["an end of the connection while waiting", waitingAnswer, { type: "gone" }],
  ["an end of the connection before any answer", "", { type: "unreachable" }],
  ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n", { type: "unreachable" }],
  ["a web server's page", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", { type: "unreachable" }],
];
for (const [what, answer, failure] of endings)
  test(`is lost to ${what}`, async () => {
    await using relay = await startLocalService((socket) => {
      socket.resume();
      socket.end(answer);
    });
    const { failure: found } = await half(relay.port).ended;
    assert.deepEqual({ ...found, ...failure }, found);
  });

test("a peer that talks without end before any answer is cut off", async () => {
  await using relay = await startLocalService((socket) => {
    const flood = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(16 * 1024, "x")));
    };
    socket.on("drain", flood);
    flood();
  });
  const { failure } = await half(relay.port).ended;
  assert.equal(failure?.type, "unreachable");
});

test("a reset while waiting is noticed", async () => {
  await using relay = await startLocalService();
  const mine = half(relay.port);
  const socket = await relay.connection();
  socket.resume();
  socket.write(waitingAnswer);
  await until(15_000, "accepted", () => mine.told[0]);
  socket.resetAndDestroy();
  assert.equal((await mine.ended).failure?.type, "gone");
});

test("a relay that takes the connection and says nothing is given up after dialMs", async () => {
  await using relay = await startLocalService((socket) => void socket.resume());
  const { failure } = await half(relay.port, 50).ended;
  assert.equal(failure?.type, "unreachable");
  assert.match(failure.reason, /does not answer/);
});

test("once accepted, a half waits longer than dialMs", async () => {
  await using relay = await startLocalService((socket) => void socket.resume().write(waitingAnswer));
  const mine = half(relay.port, 1_500);
  const socket = await relay.connection();
  await new Promise((resolve) => setTimeout(resolve, 1_700));
  socket.write(paired);
  (await mine.ended).socket?.destroy();
  assert.equal(mine.told.length, 2);
});

test("a refusal after the 100 that never ends is given up after dialMs", async () => {
  const begun = `HTTP/1.1 409 Conflict\r\nContent-Length: ${body.length}\r\n\r\n{`;
  await using relay = await startLocalService((socket) => void socket.resume().write(waitingAnswer + begun));
  const mine = half(relay.port, 50);
  const { failure } = await mine.ended;
  assert.deepEqual(mine.told, ["accepted", "unreachable"]);
  assert.match(failure?.type === "unreachable" ? failure.reason : "", /begins an answer and does not end it/);
});

test("closing a waiting half resets it and is not told", async () => {
  await using relay = await startLocalService((socket) => void socket.write(waitingAnswer));
  const mine = half(relay.port);
  const socket = await relay.connection();
  const end = readToEnd(socket);
  await until(15_000, "accepted", () => mine.told[0]);
  mine.close();
  assert.equal((await end).how, "ECONNRESET");
  assert.deepEqual(mine.told, ["accepted"]);
});

test("closing a half that dials leaves nothing behind", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const mine = half(typeof address === "object" && address ? address.port : 0);
  mine.close();
  // close() calls back when no connection is left.
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(mine.told, []);
});
