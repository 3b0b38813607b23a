import assert from "node:assert/strict";
import { test } from "node:test";
import { closeEarlyPipe, passOn } from "../../../net/kernel/early-bytes.ts";
import { type Libc, loadLibc } from "../../../net/kernel/libc.ts";

const linux = process.platform === "linux" ? {} : { skip: "the kernel pump needs Linux" };
const hello = Buffer.from("hello");

test("few early bytes go to the other socket at once", linux, async () => {
  using pair = await socketPair();
  assert.deepEqual(passOn(pair.libc, hello, undefined, pair.near), {
    sent: 5,
    left: 0,
    pipe: undefined,
    lost: false,
  });
  assert.equal(received(pair.libc, pair.far), "hello");
});

test("early bytes that a full socket does not take are kept in a pipe", linux, async () => {
  using pair = await socketPair();
  const filler = Buffer.alloc(65_536);
  while (pair.libc.send(pair.near, filler, filler.length) > 0) continue;
  const { sent, left, pipe, lost } = passOn(pair.libc, hello, undefined, pair.near);
  assert.deepEqual({ sent, left, lost }, { sent: 0, left: 5, lost: false });
  assert.ok(pipe);
  closeEarlyPipe(pair.libc, pipe);
});

test(
  "early bytes for a socket whose peer has gone are kept for the worker, which finds it broken",
  linux,
  async () => {
    using pair = await socketPair();
    pair.libc.close(pair.far);
    const { left, pipe } = passOn(pair.libc, hello, undefined, pair.near);
    assert.equal(left, 5);
    assert.ok(pipe);
    closeEarlyPipe(pair.libc, pipe);
  },
);

test("early bytes for which there is neither room nor a pipe are said to be lost", linux, async () => {
  using pair = await socketPair();
  const noRoom: Libc = { ...pair.libc, send: () => -1, pipe: () => -1 };
  assert.deepEqual(passOn(noRoom, hello, undefined, pair.near), {
    sent: 0,
    left: 0,
    pipe: undefined,
    lost: true,
  });
});

interface SocketPair extends Disposable {
  readonly libc: Libc;
  readonly near: number;
  readonly far: number;
  /** Closes the far end. */
  hangUp(): void;
}

async function socketPair(): Promise<SocketPair> {
  const libc = await loadLibc();
  const ends = new Int32Array(2);
  assert.equal(libc.socketPair(ends), 0);
  const [near = -1, far = -1] = ends;
  const open = new Set([near, far]);
  const close = (fd: number): void => {
    if (open.delete(fd)) libc.close(fd);
  };
  return {
    libc,
    near,
    far,
    hangUp: () => close(far),
    [Symbol.dispose]: () => [near, far].forEach(close),
  };
}

function received(libc: Libc, fd: number): string {
  const into = Buffer.alloc(16);
  return into.toString("utf8", 0, libc.recv(fd, into, into.length));
}
