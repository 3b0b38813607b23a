import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { readExactly } from "../../../net/direct/read-exactly.ts";
import { createWireMaker } from "../pump/sockets.ts";

const never = new AbortController().signal;

/** A connection whose bytes come exactly when the test says so. */
function byHand(): Socket {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  return stream as unknown as Socket; // only what a stream has is used of it
}

test("what follows stays in the socket, although it comes before the reader goes on", async () => {
  const socket = byHand();
  const reading = readExactly(socket, 2, never);
  socket.push("ab");
  // Once more `readable`, ahead of whoever awaits the first bytes.
  socket.once("readable", () => socket.push("cd"));
  assert.equal((await reading).toString(), "ab");
  assert.equal((await readExactly(socket, 2, never)).toString(), "cd");
});

test("bytes that are there already are taken at once, what came with them stays", async () => {
  const socket = byHand();
  socket.push("abcd");
  const reading = readExactly(socket, 2, never);
  socket.push("ef");
  assert.equal((await reading).toString(), "ab");
  assert.equal(String(socket.read()), "cdef");
});

test("bytes are waited for until all are there", async () => {
  const socket = byHand();
  const reading = readExactly(socket, 3, never);
  for (const byte of "abc") {
    socket.push(byte);
    await new Promise(setImmediate);
  }
  assert.equal((await reading).toString(), "abc");
});

test("an end before the last byte is an error, with bytes before it and without", async () => {
  for (const bytes of ["", "a"]) {
    const socket = byHand();
    const reading = readExactly(socket, 2, never);
    if (bytes !== "") socket.push(bytes);
    socket.push(null);
    await assert.rejects(reading, /has ended/);
    await assert.rejects(readExactly(socket, 2, never), /has ended/);
  }
});

test("an end right behind the last byte is none yet", async () => {
  const socket = byHand();
  const reading = readExactly(socket, 2, never);
  socket.push("ab");
  socket.push(null);
  assert.equal((await reading).toString(), "ab");
});

test("a reset and an abort end the wait, and no listener is left", async () => {
  await using wires = await createWireMaker();
  const { outer, inner } = await wires.wire();
  inner.on("error", () => {});
  const names = ["readable", "end", "close"];
  const before = names.map((name) => inner.listenerCount(name));
  const stop = new AbortController();
  const told = readExactly(inner, 2, stop.signal);
  stop.abort(new Error("given up"));
  await assert.rejects(told, /given up/);
  assert.deepEqual(
    names.map((name) => inner.listenerCount(name)),
    before,
  );
  const broken = readExactly(inner, 2, never);
  outer.resetAndDestroy();
  await assert.rejects(broken, /has ended/);
  await assert.rejects(readExactly(inner, 2, never), /has ended/);
});
