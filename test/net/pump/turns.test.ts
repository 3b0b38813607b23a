import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createPortablePump } from "../../../net/portable-pump.ts";
import { createTurns } from "../../../net/pump-turns.ts";
import { createPattern } from "./pattern.ts";
import { createRig, leg } from "./rig.ts";

const kib = 1024;

test("the more directions have more to carry, the smaller is the share of each", async () => {
  const turns = createTurns();
  const alone = turns.share();
  for (let direction = 0; direction < 7; direction += 1) turns.next(() => {});
  await turn();
  assert.equal(turns.share(), alone / 8);
  for (let direction = 0; direction < 1_000; direction += 1) turns.next(() => {});
  await turn();
  assert.equal(turns.share(), 64 * kib);
});

test("who has rested goes on in the next turn of the event loop, and not in this one", async () => {
  const turns = createTurns();
  let went = 0;
  turns.next(() => turns.next(() => (went += 1)));
  turns.next(() => (went += 1));
  await turn();
  assert.equal(went, 1);
  await turn();
  assert.equal(went, 2);
});

test("of twenty streams at full speed none holds the event loop", async () => {
  await using pump = createPortablePump();
  await using rig = await createRig(pump);
  const flood = createPattern(1).bytes(0, 4 * kib * kib);
  const wires = [];
  for (let pair = 0; pair < 20; pair += 1) wires.push([await rig.wire(), await rig.wire()] as const);
  const all = wires.map(([from, to]) => {
    from.outer.write(flood);
    to.outer.resume();
    return pump.join(leg(from.inner), leg(to.inner));
  });
  let last = all.map(() => 0);
  let most = 0;
  for (let turns = 0; last.some((moved) => moved < flood.length); turns += 1) {
    await turn();
    const now = all.map((joined) => joined.counts().aToB);
    // Before the first shares are used up nobody knows yet how many there are.
    if (turns > 2) most = Math.max(most, ...now.map((moved, pair) => moved - (last[pair] ?? 0)));
    last = now;
  }
  assert.ok(most <= 192 * kib, `${most} bytes of one stream in one turn`);
});
