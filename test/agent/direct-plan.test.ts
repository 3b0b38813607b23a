import assert from "node:assert/strict";
import { test } from "node:test";
import { createDirectPlan } from "../../agent/direct/direct-plan.ts";
import { limits } from "../../protocol/limits.ts";

const attempt = { type: "attempt" } as const;
const wait = (want: number) => ({ type: "wait", want, ms: limits.directWaitMs }) as const;

test("the first connection is made before anybody needs it, and a pool after it", () => {
  const plan = createDirectPlan({ only: false });
  assert.deepEqual(plan.step({ type: "begin" }, 0), [attempt]);
  assert.deepEqual(plan.step({ type: "met", connection: 1 }, 10), [attempt]);
  assert.deepEqual(plan.step({ type: "met", connection: 2 }, 20), []);
  assert.equal(plan.ready, limits.directPool);
  assert.deepEqual(plan.step({ type: "want", want: 1 }, 30), [
    { type: "give", want: 1, connection: 1 },
    { type: "refillLater", ms: limits.directRefillMs },
  ]);
  assert.equal(plan.ready, 1);
  assert.deepEqual(plan.step({ type: "refill" }, 80), [attempt]);
  assert.deepEqual(plan.step({ type: "refill" }, 90), [], "one at a time");
});

test("a client waits a little for an attempt that is under way, then takes the relay", () => {
  const plan = createDirectPlan({ only: false });
  plan.step({ type: "begin" }, 0);
  assert.deepEqual(plan.step({ type: "want", want: 1 }, 0), [wait(1)]);
  assert.deepEqual(plan.step({ type: "want", want: 2 }, 0), [wait(2)]);
  assert.deepEqual(plan.step({ type: "waited", want: 1 }, 300), [
    { type: "decline", want: 1, why: "starting" },
  ]);
  assert.deepEqual(plan.step({ type: "met", connection: 7 }, 310), [
    { type: "give", want: 2, connection: 7 },
    attempt,
  ]);
  assert.deepEqual(plan.step({ type: "waited", want: 2 }, 320), []);
});

test("after a failure clients take the relay at once, until the pause is over", () => {
  const plan = createDirectPlan({ only: false });
  plan.step({ type: "begin" }, 0);
  assert.deepEqual(plan.step({ type: "missed", why: "timed_out" }, 0), []);
  const soon = plan.step({ type: "want", want: 1 }, limits.directRetryMs - 1);
  assert.deepEqual(soon, [{ type: "decline", want: 1, why: "timed_out" }]);
  assert.deepEqual(plan.step({ type: "want", want: 2 }, limits.directRetryMs), [attempt, wait(2)]);
  assert.deepEqual(plan.step({ type: "missed", why: "timed_out" }, 10_000), [
    { type: "decline", want: 2, why: "timed_out" },
  ]);
  const twiceAsLong = 10_000 + 2 * limits.directRetryMs;
  assert.equal(plan.step({ type: "want", want: 3 }, twiceAsLong - 1)[0]?.type, "decline");
  assert.equal(plan.step({ type: "want", want: 4 }, twiceAsLong)[0]?.type, "attempt");
});

test("what lasts is not tried again for long, unless the machine comes into another network", () => {
  for (const why of ["symmetric", "agent_off", "limited", "old"] as const) {
    const plan = createDirectPlan({ only: false });
    plan.step({ type: "begin" }, 0);
    plan.step({ type: "missed", why }, 0);
    const later = limits.directRetryCapMs - 1;
    assert.deepEqual(plan.step({ type: "want", want: 1 }, later), [{ type: "decline", want: 1, why }]);
    plan.step({ type: "moved" }, later);
    assert.deepEqual(plan.step({ type: "want", want: 2 }, later), [attempt, wait(2)]);
  }
});

test("a connection that has died is given to nobody, and is replaced when somebody needs one", () => {
  const plan = createDirectPlan({ only: false });
  plan.step({ type: "begin" }, 0);
  plan.step({ type: "met", connection: 1 }, 0);
  plan.step({ type: "met", connection: 2 }, 0);
  assert.deepEqual(plan.step({ type: "lost", connection: 1 }, 5), []);
  assert.deepEqual(plan.step({ type: "lost", connection: 2 }, 5), []);
  assert.deepEqual(plan.step({ type: "want", want: 1 }, 10), [attempt, wait(1)]);
});

test("without a relay to take, every client waits for an attempt and hears why it failed", () => {
  const plan = createDirectPlan({ only: true });
  plan.step({ type: "begin" }, 0);
  plan.step({ type: "missed", why: "symmetric" }, 0);
  assert.deepEqual(plan.step({ type: "want", want: 1 }, 1), [attempt]);
  assert.deepEqual(plan.step({ type: "missed", why: "symmetric" }, 5_000), [
    { type: "decline", want: 1, why: "symmetric" },
  ]);
});
