import assert from "node:assert/strict";
import { test } from "node:test";
import { createUserTimeouts } from "../../../net/kernel/user-timeout.ts";
import { linux } from "../../../net/kernel/linux.ts";
import { limits } from "../../../protocol/limits.ts";

/** One pair on descriptors 10 and 11, with what was set last and what is unacknowledged. */
function createScene(stallMs: number) {
  const set = new Map<number, number>();
  const unacknowledged = new Map<number, number>();
  let calls = 0;
  const timeouts = createUserTimeouts({
    libc: {
      setTcpOption(fd, option, value) {
        assert.equal(option, linux.TCP_USER_TIMEOUT);
        set.set(fd, value);
        calls += 1;
        return 0;
      },
      unacknowledged: (fd) => unacknowledged.get(fd) ?? 0,
    },
    table: { sockets: Int32Array.of(10, 11), stallMs: Int32Array.of(stallMs) },
  });
  return { timeouts, unacknowledged, both: () => [set.get(10), set.get(11)], calls: () => calls };
}

test("a busy pair has its stall timer's time, a silent one as long as its peer may be lost", () => {
  const { timeouts, both, calls } = createScene(limits.stallMs);
  timeouts.begin(0);
  assert.deepEqual(both(), [limits.stallMs, limits.stallMs]);
  timeouts.silent(0);
  assert.deepEqual(both(), [limits.peerLostMs, limits.peerLostMs]);
  const before = calls();
  timeouts.silent(0);
  assert.equal(calls(), before, "a pair that stays silent costs no call");
  timeouts.busy(0);
  assert.deepEqual(both(), [limits.stallMs, limits.stallMs]);
});

test("a pair with bytes that are not acknowledged is not silent", () => {
  const { timeouts, unacknowledged, both } = createScene(limits.stallMs);
  timeouts.begin(0);
  unacknowledged.set(11, 1);
  timeouts.silent(0);
  assert.deepEqual(both(), [limits.stallMs, limits.stallMs]);
  unacknowledged.clear();
  timeouts.silent(0);
  assert.deepEqual(both(), [limits.peerLostMs, limits.peerLostMs]);
});

test("a new pair in the place of a silent one begins busy, and no time is shorter than a bad line needs", () => {
  const { timeouts, both } = createScene(1_000);
  timeouts.begin(0);
  assert.deepEqual(both(), [30_000, 30_000]);
  timeouts.silent(0);
  timeouts.begin(0);
  assert.deepEqual(both(), [30_000, 30_000]);
});
