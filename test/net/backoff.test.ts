import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackoff } from "../../net/backoff.ts";
import { limits } from "../../protocol/limits.ts";

test("the window doubles from the base to the young cap while the outage is young", () => {
  const backoff = createBackoff({ random: () => 1, now: () => 0 });
  assert.deepEqual(
    Array.from({ length: 6 }, () => backoff.next()),
    [500, 1_000, 2_000, 4_000, 4_000, 4_000],
  );
});

test("an old outage is retried less often, and never with an endless delay", () => {
  let clock = 0;
  const backoff = createBackoff({ random: () => 1, now: () => clock });
  backoff.next();
  clock = limits.backoffYoungMs;
  let last = 0;
  for (let attempt = 0; attempt < 2_000; attempt += 1) last = backoff.next();
  assert.equal(last, limits.backoffCapMs);
});

test("the delay is anywhere in the window, so that many do not return together", () => {
  const draws = [0, 0.5, 0.25];
  const backoff = createBackoff({ random: () => draws.shift() ?? 0, now: () => 0 });
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [0, 500, 500]);
});

test("what the other side asked for is a lower bound with the jitter on top", () => {
  const backoff = createBackoff({ random: () => 0.5, now: () => 0 });
  assert.equal(backoff.next(7_000), 7_250);
});

test("a reset starts a new outage with a small window", () => {
  let clock = 0;
  const backoff = createBackoff({ random: () => 1, now: () => clock });
  backoff.next();
  clock = 10 * limits.backoffYoungMs;
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), limits.backoffBaseMs);
  clock += 1;
  assert.equal(backoff.next(), 2 * limits.backoffBaseMs);
});
