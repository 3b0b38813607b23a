import assert from "node:assert/strict";
import { test } from "node:test";
import { createDisposalStack } from "../../net/disposal-stack.ts";

test("everything is undone once, the newest first, each before the next begins", async () => {
  const seen: string[] = [];
  const stack = createDisposalStack();
  stack.use({ [Symbol.dispose]: () => seen.push("first") });
  stack.defer(async () => {
    await new Promise(setImmediate);
    seen.push("second");
  });
  stack.use({ [Symbol.asyncDispose]: async () => void seen.push("third") });

  await Promise.all([stack[Symbol.asyncDispose](), stack[Symbol.asyncDispose]()]);
  assert.deepEqual(seen, ["third", "second", "first"]);
});

test("a moved stack leaves nothing behind", async () => {
  let undone = 0;
  async function make() {
    await using stack = createDisposalStack();
    stack.defer(() => (undone += 1));
    return stack.move();
  }
  const moved = await make();
  assert.equal(undone, 0);
  await moved[Symbol.asyncDispose]();
  assert.equal(undone, 1);
});

test("a failure does not keep the rest from being undone", async () => {
  const fails = (message: string) => () => Promise.reject(new Error(message));
  const stack = createDisposalStack();
  let undone = false;
  stack.defer(() => (undone = true));
  stack.defer(fails("one"));
  await assert.rejects(async () => stack[Symbol.asyncDispose](), { message: "one" });
  assert.equal(undone, true);

  const both = createDisposalStack();
  both.defer(fails("one"));
  both.defer(fails("two"));
  await assert.rejects(
    async () => both[Symbol.asyncDispose](),
    ({ errors }: AggregateError) => {
      assert.deepEqual(errors.map(String), ["Error: two", "Error: one"]);
      return true;
    },
  );
});

test("a stack that was disposed of or moved takes nothing more", async () => {
  const stack = createDisposalStack();
  const moved = stack.move();
  await moved[Symbol.asyncDispose]();
  for (const closed of [stack, moved]) {
    assert.throws(() => closed.defer(() => {}), ReferenceError);
    assert.throws(() => closed.move(), ReferenceError);
  }
});
