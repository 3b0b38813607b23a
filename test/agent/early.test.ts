import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { readEarly } from "../../agent/early.ts";
import { limits } from "../../protocol/limits.ts";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { until } from "../fixtures/within.ts";
import { startLocalService } from "./local-service.ts";

/** Both ends of a connection: `peer` is the far one, `own` the one that is read early. */
async function connection() {
  const service = await startLocalService();
  const peer = await dial(service.port);
  const own: Socket = await service.connection();
  return {
    peer,
    own,
    [Symbol.asyncDispose]: async () => {
      peer.destroy();
      await service[Symbol.asyncDispose]();
    },
  };
}

test("hands over what was read before and meanwhile, in order, and leaves the rest in the socket", async () => {
  await using pair = await connection();
  const early = readEarly(pair.own, Buffer.from("one "));
  pair.peer.write("two");
  await until(15_000, "the bytes are read", () => (pair.own.bytesRead === 3 ? true : undefined));
  const { early: bytes, ended } = early.take();
  assert.deepEqual([bytes.toString(), ended], ["one two", false]);
  const rest = readToEnd(pair.own);
  pair.peer.end("three");
  pair.own.resume();
  assert.equal((await rest).bytes.toString(), "three");
});

test("tells that the peer has finished", async () => {
  await using pair = await connection();
  const early = readEarly(pair.own, Buffer.alloc(0));
  pair.peer.end("bye");
  await until(15_000, "the end is read", () => (pair.own.readableEnded ? true : undefined));
  const { early: bytes, ended } = early.take();
  assert.deepEqual([bytes.toString(), ended], ["bye", true]);
  assert.equal(early.gone.aborted, false);
});

test("a reset peer is gone", async () => {
  await using pair = await connection();
  const early = readEarly(pair.own, Buffer.alloc(0));
  pair.peer.resetAndDestroy();
  await until(15_000, "gone", () => (early.gone.aborted ? true : undefined));
});

test("a peer that floods is held back by the kernel, and nothing of it is lost", async () => {
  await using pair = await connection();
  const flood = Buffer.alloc(32 * 1024 * 1024);
  for (let i = 0; i < flood.length; i += 4_096) flood.writeUInt32LE(i, i);
  const early = readEarly(pair.own, Buffer.alloc(0));
  pair.peer.end(flood);
  await until(15_000, "the limit is reached", () => (pair.own.isPaused() ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(pair.own.bytesRead < 4 * limits.earlyBytes, `${pair.own.bytesRead} bytes taken`);
  const { early: bytes } = early.take();
  const rest = readToEnd(pair.own);
  pair.own.resume();
  assert.equal(Buffer.concat([bytes, (await rest).bytes]).compare(flood), 0);
});
