import assert from "node:assert/strict";
import { test } from "node:test";
import { createQuietRule } from "../../net/quiet-rule.ts";

const mib = 1024 * 1024;

/** A look every 5 s; each is utilization and MiB. */
function answers(looks: readonly (readonly [number, number])[]): boolean[] {
  const mayCollect = createQuietRule((looks[0]?.[1] ?? 0) * mib);
  return looks.map(([utilization, size], index) =>
    mayCollect({ at: index * 5_000, utilization, bytes: size * mib }),
  );
}

test("a full collection waits until a process that has grown was quiet for half a minute", () => {
  const quiet = Array.from({ length: 6 }, () => [0.05, 60] as const);
  const looks = [[0, 20], [0.9, 60], ...quiet.slice(1), [0.9, 60], ...quiet] as const;
  assert.deepEqual(answers(looks).indexOf(true), looks.length - 1);
});

test("a process under load is never stopped for a full collection", () => {
  const looks = Array.from({ length: 100 }, (_, index) => [index % 2 === 0 ? 0 : 0.5, 20 + index] as const);
  assert(!answers(looks).includes(true));
});

test("a process that has not grown by a quarter and 4 MiB is left alone", () => {
  const small = [5, 5, 8, 8, 8, 8] as const;
  const large = [100, 100, 128, 128, 128, 128] as const;
  for (const sizes of [small, large]) assert(!answers(sizes.map((size) => [0, size])).includes(true));
});

test("growth counts from the lowest size, also when V8 has collected by itself", () => {
  assert.equal(answers([60, 60, 60, 60, 60, 20, 60].map((size) => [0, size])).indexOf(true), 6);
});

test("there is a minute between two full collections, and growth counts anew after each", () => {
  const looks = Array.from({ length: 31 }, (_, index) => [0, 10 + index * 40] as const);
  const times = answers(looks).flatMap((yes, index) => (yes ? [index * 5] : []));
  assert.deepEqual(times, [25, 85, 145]);
  const still = answers([10, 40, ...Array.from({ length: 30 }, () => 40)].map((size) => [0, size]));
  assert.equal(still.filter(Boolean).length, 1);
});
