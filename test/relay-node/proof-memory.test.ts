import assert from "node:assert/strict";
import { test } from "node:test";
import { createProofMemory } from "../../relay-node/proof-memory.ts";

/** How many of an owner's proofs are taken out of so many that come at once. */
function flood(remember: ReturnType<typeof createProofMemory>, owner: string, count: number, at = 0): number {
  let taken = 0;
  for (let next = 0; next < count; next += 1)
    try {
      remember(owner, { id: `${owner} ${next} ${at}`, issued: at, until: at + 60 }, at);
      taken += 1;
    } catch (error) {
      assert.equal((error as { code?: string }).code, "too_many");
    }
  return taken;
}

test("one owner who floods the memory gets half of it, and everybody else is still served", () => {
  const remember = createProofMemory(1_000);
  assert.equal(flood(remember, "flood", 10_000), 500);
  for (let other = 0; other < 100; other += 1) assert.equal(flood(remember, `other ${other}`, 2), 2);
  assert.equal(flood(remember, "flood", 10_000, 1), 0);
});

test("owners who flood it together leave room for one more", () => {
  const remember = createProofMemory(1_000);
  for (let owner = 0; owner < 5; owner += 1) assert.ok(flood(remember, `flood ${owner}`, 10_000) > 0);
  assert.ok(flood(remember, "one more", 10) > 0);
});

test("what can be shown no more is forgotten, and makes room for its owner", () => {
  const remember = createProofMemory(10);
  assert.equal(flood(remember, "one", 20), 5);
  assert.equal(flood(remember, "one", 20, 60), 0);
  assert.equal(flood(remember, "one", 20, 61), 5);
});

test("a proof is known again whoever shows it", () => {
  const remember = createProofMemory(10);
  const proof = { id: "key.1", issued: 0, until: 60 };
  remember("one", proof, 0);
  for (const owner of ["one", "other"])
    assert.throws(() => remember(owner, proof, 60), { code: "proof_invalid" });
});
