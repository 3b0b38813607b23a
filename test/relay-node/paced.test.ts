import assert from "node:assert/strict";
import { test } from "node:test";
import { createPaced } from "../../relay-node/paced.ts";

test("what is asked for all the time is made for a twentieth of the time at most", () => {
  let clock = 0;
  let spent = 0;
  const ask = createPaced(
    () => {
      clock += 10;
      spent += 10;
      return clock;
    },
    () => clock,
  );
  for (; clock < 10_000; clock += 1) ask();
  assert.ok(spent > 0 && spent <= 500, `${spent} of ${clock} ms`);
});

test("what costs nothing is made anew each time", () => {
  let made = 0;
  const ask = createPaced(
    () => (made += 1),
    () => 0,
  );
  assert.deepEqual([ask(), ask(), ask()], [1, 2, 3]);
});
