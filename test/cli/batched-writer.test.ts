import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createBatchedWriter } from "../../cli/batched-writer.ts";

test("what is said in one turn of the event loop is written at once, in order", async () => {
  const written: string[] = [];
  const writer = createBatchedWriter((text) => written.push(text));
  writer.write("one\n");
  writer.write("two\n");
  assert.deepEqual(written, []);
  await nextTurn();
  assert.deepEqual(written, ["one\ntwo\n"]);
  writer.write("three\n");
  await nextTurn();
  assert.deepEqual(written, ["one\ntwo\n", "three\n"]);
});

test("a process that exits can write the rest, and nothing is written twice", async () => {
  const written: string[] = [];
  const writer = createBatchedWriter((text) => written.push(text));
  writer.write("last\n");
  writer.flush();
  writer.flush();
  await nextTurn();
  assert.deepEqual(written, ["last\n"]);
});
