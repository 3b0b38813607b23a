import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile, spread } from "../../bench/statistics.ts";

test("the spread of an odd count has the middle value as its median, whatever the order", () => {
  assert.deepEqual(spread([9, 1, 4]), { min: 1, median: 4, max: 9 });
});

test("the median of an even count lies between the two middle values", () => {
  assert.deepEqual(spread([10, 1, 3, 2]), { min: 1, median: 2.5, max: 10 });
});

test("numbers are sorted as numbers, not as text", () => {
  assert.equal(spread([100, 9, 20]).median, 20);
});

test("a percentile is the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, place) => 100 - place);
  assert.equal(percentile(hundred, 50), 50);
  assert.equal(percentile(hundred, 99), 99);
  assert.equal(percentile([7], 99), 7);
});

test("statistics of nothing are an error, not a number", () => {
  assert.throws(() => spread([]), RangeError);
  assert.throws(() => percentile([], 50), RangeError);
});
