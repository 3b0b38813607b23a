import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuessLimit } from "../../control/guess-limit.ts";
import { createGuessMemory } from "../../control/guess-memory.ts";
import type { GuessLimit, GuessLimitOptions } from "../../control/guess-limit.ts";
import { newCode, readCode } from "../../protocol/invitations.ts";
import { limits } from "../../protocol/limits.ts";
import { sourcesOf } from "../../protocol/source-address.ts";
import { randomFrom } from "../control/random.ts";

/** A limit on a clock that the test moves. */
function createFixture(options: Partial<GuessLimitOptions> = {}) {
  let now = 1_800_000_000_000;
  const guessers = createGuessMemory(options.remembered ?? limits.guessRate.remembered);
  const limit = createGuessLimit(() => now, guessers, { ...limits.guessRate, ...options });
  return { limit, remembered: () => guessers.prune(() => false), pass: (ms: number) => void (now += ms) };
}

function take(limit: GuessLimit, address: string, tries: number): number {
  const sources = sourcesOf(address);
  return Array.from({ length: tries }, () => limit.take(sources)).filter(Boolean).length;
}

test("a source has its tries, then one more each time they refill; right codes cost nothing", () => {
  const { limit, remembered, pass } = createFixture();
  const { burst, everyMs } = limits.guessRate;
  assert.equal(take(limit, "192.0.2.1", burst + 3), burst);
  assert.equal(take(limit, "192.0.2.2", 1), 1, "others are not concerned");
  pass(everyMs);
  assert.equal(take(limit, "192.0.2.1", 2), 1);
  for (let i = 0; i < 100; i += 1) {
    assert.equal(take(limit, "2001:db8::3", 1), 1);
    limit.giveBack(sourcesOf("2001:db8::3"));
  }
  assert.equal(remembered(), 2, "who was right is not remembered");
});

test("when all sources together guess too fast, those that were wrong wait and clean ones get a try", () => {
  const { limit, pass } = createFixture({ perSecond: 10 });
  const source = (i: number): string => `10.0.${i >> 8}.${i & 255}`;
  const all = (tries: number): number =>
    Array.from({ length: 1_000 }, (_, i) => take(limit, source(i), tries)).reduce((a, b) => a + b);
  assert.equal(all(1), 1_000, "the first try of each");
  assert.equal(all(5), 50, "five seconds' worth for all that were wrong");
  assert.equal(take(limit, "192.0.2.1", 1), 1, "the right person");
  pass(1_000);
  assert.equal(all(5), 10);
  pass(limits.guessRate.memoryMs / 2);
  assert.equal(all(1), 50, "half an hour later they are still remembered");
  pass(2 * limits.guessRate.memoryMs);
  assert.equal(all(1), 1_000);
});

test("who gives a right code again and again gets no tries for others", () => {
  const { limit } = createFixture({ perSecond: 10 });
  for (let i = 0; i < 300; i += 1) take(limit, `10.0.${i >> 8}.${i & 255}`, 2);
  for (let i = 0; i < 1_000; i += 1) if (take(limit, "192.0.2.1", 1)) limit.giveBack(sourcesOf("192.0.2.1"));
  assert.equal(take(limit, "10.0.0.1", 5), 0);
});

test("there is room for so many clean sources, then they share the common rate", () => {
  const { limit, remembered, pass } = createFixture({ perSecond: 10, remembered: 100 });
  const allowed = (first: number): number =>
    Array.from({ length: 5_000 }, (_, i) => take(limit, `10.${first}.${i >> 8}.${i & 255}`, 1)).reduce(
      (a, b) => a + b,
    );
  assert.equal(allowed(1), 100 + 50);
  assert.equal(remembered(), 100);
  pass(1_000);
  assert.equal(allowed(2), 10);
  pass(2 * limits.guessRate.memoryMs);
  assert.equal(allowed(3), 100 + 50);
});

test("whatever comes, the memory is bounded and the tries are within the documented sum", () => {
  const random = randomFrom(7);
  const { limit, remembered, pass } = createFixture({ perSecond: 20, remembered: 500 });
  const seconds = 600;
  let wrong = 0;
  for (let second = 0; second < seconds; second += 1) {
    for (let i = 0; i < 100; i += 1) {
      const octet = (): number => Math.floor(random() * 256);
      const site = (octet() << 8) | octet();
      const address =
        random() < 0.5
          ? `10.0.${octet()}.${octet()}`
          : `2001:db8:${site.toString(16)}:${octet().toString(16)}::1`;
      if (!limit.take(sourcesOf(address))) continue;
      if (random() < 0.1) limit.giveBack(sourcesOf(address));
      else wrong += 1;
    }
    assert.ok(remembered() <= 500);
    pass(1_000);
  }
  assert.ok(wrong <= 500 + 20 * (seconds + 5), `${wrong} wrong ones`);
});

test("the memory of guessers agrees with a plain map, whatever is set, deleted and forgotten", () => {
  const random = randomFrom(11);
  const memory = createGuessMemory(100);
  const model = new Map<string, { fullAt: number; tries: number }>();
  for (let step = 0; step < 50_000; step += 1) {
    const source = `source ${Math.floor(random() * 300)}`;
    const dice = random();
    if (dice < 0.5 && model.size < 100) {
      const guesser = { fullAt: step, tries: step % 100 };
      memory.set(source, guesser);
      model.set(source, guesser);
    } else if (dice < 0.95) {
      memory.delete(source);
      model.delete(source);
    } else {
      for (const [key, { fullAt }] of model) if (fullAt < step - 100) model.delete(key);
      assert.equal(
        memory.prune(({ fullAt }) => fullAt < step - 100),
        model.size,
      );
    }
    const asked = `source ${Math.floor(random() * 300)}`;
    assert.deepEqual(memory.get(asked), model.get(asked));
  }
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
