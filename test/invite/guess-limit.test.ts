import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuessLimit } from "../../control/guess-limit.ts";
import { newCode, readCode } from "../../protocol/invitations.ts";
import { limits } from "../../protocol/limits.ts";

test("a source has its tries, then one more each time they refill; right codes cost nothing", () => {
  let now = 0;
  const limit = createGuessLimit({ now: () => now, perSecond: 100 });
  const tries = (source: string, count: number): boolean[] =>
    Array.from({ length: count }, () => limit.take(source));
  assert.ok(tries("a", limits.guessBurst).every(Boolean));
  assert.equal(limit.take("a"), false);
  assert.equal(limit.take("b"), true, "others are not concerned");
  now += limits.guessEveryMs;
  assert.deepEqual(tries("a", 2), [true, false]);
  for (let i = 0; i < 100; i += 1) {
    assert.equal(limit.take("c"), true);
    limit.giveBack("c");
  }
});

test("when all sources together guess too fast, those that were wrong wait and clean ones get a try", () => {
  let now = 0;
  const limit = createGuessLimit({ now: () => now, perSecond: 10 });
  for (let i = 0; i < 200; i += 1) assert.equal(limit.take(`source ${i}`), true, "the first try of each");
  for (let i = 0; i < 200; i += 1) assert.equal(limit.take(`source ${i}`), false, "no second one");
  assert.equal(limit.take("the right person"), true);
  now += 1_000;
  const second = Array.from({ length: 200 }, (_, i) => limit.take(`source ${i}`)).filter(Boolean);
  assert.equal(second.length, 10, "one second's worth for all of them");
});

test("a code has 50 bits and is read however somebody types it", () => {
  const code = newCode((bytes) => bytes.fill(0xff));
  assert.equal(code, "ZZZZZ-ZZZZZ");
  assert.equal(
    newCode((bytes) => bytes.fill(0)),
    "00000-00000",
  );
  assert.equal(
    newCode((bytes) => bytes.map((_, i) => i + 1)),
    "12345-6789A",
  );
  for (const typed of ["k7q2x-9fmtr", " K7Q2X9FMTR ", "k7 q2 x9 fm tr"])
    assert.equal(readCode(typed), "K7Q2X-9FMTR");
  assert.equal(readCode("oil0-111111"), "01101-11111");
  for (const wrong of [
    "",
    "K7Q2X-9FMT",
    "K7Q2X-9FMTRX",
    "K7Q2X-9FMTU",
    "../../x",
    "K7Q2X%2D9FMTR",
    "K7Q2-9FMX",
  ])
    assert.equal(readCode(wrong), undefined, wrong);
});
