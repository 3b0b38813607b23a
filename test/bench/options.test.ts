import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, parseOptions, unknownWords } from "../../bench/options.ts";

test("a full run has five rounds and writes into bench/results", () => {
  const { rounds, quick, out } = parseOptions([]);
  assert.deepEqual([rounds, quick], [5, false]);
  assert.match(out, /bench\/results$/);
});

test("a partial run never overwrites the results, unless it is told where to write", () => {
  assert.equal(parseOptions(["--quick"]).out, "");
  assert.equal(parseOptions(["--only", "hop"]).out, "");
  assert.equal(parseOptions(["--only", "hop", "--out", "/elsewhere"]).out, "/elsewhere");
});

test("rounds that are no small whole number are refused with a message that names them", () => {
  for (const wrong of ["0", "1.5", "many", "101"])
    assert.throws(() => parseOptions(["--rounds", wrong]), new RegExp(`--rounds ${wrong}`));
});

test("an option that does not exist is refused", () => {
  assert.throws(() => parseOptions(["--fast"]), /--fast/);
});

test("words choose by beginning among their own sort, and leave the other sorts whole", () => {
  const { only } = parseOptions(["--only", "hop, rdv"]);
  const name = (text: string): string => text;
  assert.deepEqual(choose(["hop", "tunnel"], name, only), ["hop"]);
  assert.deepEqual(choose(["direct", "rdv kernel", "rdv portable"], name, only), [
    "rdv kernel",
    "rdv portable",
  ]);
  assert.deepEqual(choose(["throughput", "first-byte"], name, only), ["throughput", "first-byte"]);
});

test("a word that begins nothing is found out", () => {
  assert.deepEqual(unknownWords(["hop", "hopp"], ["hop", "tunnel"]), ["hopp"]);
});
