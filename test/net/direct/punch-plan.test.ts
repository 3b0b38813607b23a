import assert from "node:assert/strict";
import { test } from "node:test";
import { createPunchPlan } from "../../../net/direct/punch-plan.ts";
import type { PunchEffect } from "../../../net/direct/punch-plan.ts";

const plan = (chooses: boolean, targets = 2) => createPunchPlan({ targets, chooses, random: () => 0.5 });

test("all addresses are dialled at once, and what refuses is dialled again", () => {
  const { step } = plan(true);
  assert.deepEqual(step({ type: "start" }), [
    { type: "dial", target: 0 },
    { type: "dial", target: 1 },
  ]);
  assert.deepEqual(step({ type: "failed", target: 1, afterMs: 40 }), [
    { type: "retryLater", target: 1, ms: 40 },
  ]);
  assert.deepEqual(step({ type: "retry", target: 1 }), [{ type: "dial", target: 1 }]);
  assert.deepEqual(step({ type: "failed", target: 1, afterMs: 0.1 }), [
    { type: "retryLater", target: 1, ms: 5 },
  ]);
  assert.deepEqual(step({ type: "failed", target: 1, afterMs: 9_000 }), [
    { type: "retryLater", target: 1, ms: 250 },
  ]);
});

test("an address is dialled a bounded number of times", () => {
  const { step } = plan(true, 1);
  let dials = step({ type: "start" }).length;
  for (let tries = 0; tries < 1_000; tries += 1) dials += step({ type: "retry", target: 0 }).length;
  assert.equal(dials, 64);
});

test("the side that chooses takes the first connection that is proven and closes the others", () => {
  const { step } = plan(true);
  step({ type: "start" });
  assert.deepEqual(step({ type: "connected", id: 1, target: 0 }), [{ type: "prove", id: 1 }]);
  assert.deepEqual(step({ type: "connected", id: 2, target: undefined }), [{ type: "prove", id: 2 }]);
  assert.deepEqual(step({ type: "proven", id: 2 }), [
    { type: "met", id: 2 },
    { type: "stopDialling" },
    { type: "close", id: 1 },
    { type: "over", outcome: "opened" },
  ]);
  assert.deepEqual(step({ type: "proven", id: 1 }), []);
  assert.deepEqual(step({ type: "connected", id: 3, target: 1 }), [{ type: "close", id: 3 }]);
  assert.deepEqual(step({ type: "retry", target: 1 }), []);
});

test("the other side keeps what was under way, because it may be the chosen one", () => {
  const { step } = plan(false);
  step({ type: "start" });
  step({ type: "connected", id: 1, target: 0 });
  step({ type: "connected", id: 2, target: 1 });
  assert.deepEqual(step({ type: "proven", id: 1 }), [{ type: "met", id: 1 }, { type: "stopDialling" }]);
  assert.deepEqual(step({ type: "connected", id: 3, target: undefined }), [{ type: "close", id: 3 }]);
  assert.deepEqual(step({ type: "proven", id: 2 }), [
    { type: "met", id: 2 },
    { type: "over", outcome: "opened" },
  ]);
});

test("strangers are closed, and no more than eight are asked at once", () => {
  const { step } = plan(true);
  step({ type: "start" });
  const ids = Array.from({ length: 12 }, (_, id) => id);
  const effects = ids.flatMap((id) => step({ type: "connected", id, target: undefined }));
  assert.deepEqual(counts(effects), { prove: 8, close: 4 });
  assert.deepEqual(step({ type: "unproven", id: 0 }), [{ type: "close", id: 0 }]);
  assert.deepEqual(step({ type: "connected", id: 99, target: 0 }), [{ type: "prove", id: 99 }]);
});

test("time that is up ends the attempt with what is known of it", () => {
  const silent = plan(true);
  silent.step({ type: "start" });
  assert.deepEqual(silent.step({ type: "expired" }), [
    { type: "stopDialling" },
    { type: "over", outcome: "timed_out" },
  ]);
  const refused = plan(true);
  refused.step({ type: "start" });
  refused.step({ type: "connected", id: 1, target: 0 });
  assert.deepEqual(refused.step({ type: "expired" }), [
    { type: "stopDialling" },
    { type: "close", id: 1 },
    { type: "over", outcome: "refused" },
  ]);
  const met = plan(false);
  met.step({ type: "start" });
  met.step({ type: "connected", id: 1, target: 0 });
  met.step({ type: "connected", id: 2, target: 1 });
  met.step({ type: "proven", id: 1 });
  assert.deepEqual(met.step({ type: "expired" }), [
    { type: "close", id: 2 },
    { type: "over", outcome: "opened" },
  ]);
});

function counts(effects: readonly PunchEffect[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { type } of effects) found[type] = (found[type] ?? 0) + 1;
  return found;
}
