import assert from "node:assert/strict";
import { test } from "node:test";
import { createTransientMap } from "../../net/transient-map.ts";

test("what is put into a transient map is there until it is taken, once", () => {
  const map = createTransientMap<string, number>();
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  assert.deepEqual([map.size, map.get("a"), map.get("b"), map.get("c")], [2, 3, 2, undefined]);
  assert.deepEqual([map.take("a"), map.take("a"), map.take("c")], [3, undefined, undefined]);
  assert.deepEqual([map.size, map.get("a"), map.get("b")], [1, undefined, 2]);
});
