import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedRate } from "../../relay-node/shared-rate.ts";

/** How many of so many calls of a source are taken now. */
function taken(may: (source: string) => boolean, source: string, calls = 1_000): number {
  return Array.from({ length: calls }, () => may(source)).filter(Boolean).length;
}

test("one source that floods leaves a quarter of the rate to others, second for second", () => {
  let now = 0;
  const may = createSharedRate({ now: () => now, perSecond: 20 });
  for (; now < 10_000; now += 1_000) {
    assert.equal(taken(may, "flood"), 15);
    for (let other = 0; other < 5; other += 1) assert.equal(taken(may, `other ${other}`, 1), 1);
    assert.equal(taken(may, "late"), 0, "no more than the rate from all together");
  }
});

test("a flood that never pauses does not get ahead of newcomers by taking each place as it becomes free", () => {
  let now = 0;
  const may = createSharedRate({ now: () => now, perSecond: 20 });
  let served = 0;
  for (; now < 10_000; now += 10) {
    taken(may, "flood", 50);
    if (now % 500 === 0) served += taken(may, `newcomer ${now}`, 1);
  }
  assert.equal(served, 20);
});

test("a clock that is set back keeps nobody out", () => {
  let now = 1_000_000;
  const may = createSharedRate({ now: () => now, perSecond: 2 });
  assert.equal(taken(may, "a", 1) + taken(may, "b", 1), 2);
  now = 0;
  assert.equal(taken(may, "c", 1), 1);
});
