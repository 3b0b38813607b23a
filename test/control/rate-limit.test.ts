import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimits } from "../../control/rate-limit.ts";
import { unbounded } from "../../control/grants.ts";
import type { RequestKind } from "../../control/rate-limit.ts";
import type { Scope } from "../../protocol/keys.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";

const token = (hash: string) => ({ account: "a_team", hash, isRoot: false });
const caller = (account: string, ...scopes: Scope[]) => ({
  account,
  key: "k",
  ...unbounded(scopes),
});

/** How many of so many calls are let through. */
function countPassed(tries: number, call: () => void): number {
  let passed = 0;
  for (let i = 0; i < tries; i += 1)
    try {
      call();
      passed += 1;
    } catch (error) {
      assert.ok(error instanceof RdvError && error.code === "too_many");
      assert.ok((error.retryAfterMs ?? 0) > 0, "it says when to come back");
    }
  return passed;
}

test("an account may burst, then gets its rate, each kind of request for itself, and others do not pay for it", () => {
  let now = 0;
  const rates = createRateLimits(() => now);
  const ask = (account: string, kind: RequestKind) => (): void =>
    rates.mayAsk(caller(account, "sessions"), kind);
  const { createRate, connectRate, requestRate } = limits;
  assert.equal(countPassed(5_000, ask("a_one", "create")), createRate.burst);
  assert.equal(countPassed(5_000, ask("a_one", "connect")), connectRate.burst);
  assert.equal(countPassed(5_000, ask("a_one", "request")), requestRate.burst);
  assert.equal(countPassed(1, ask("a_two", "create")), 1);
  now += 1_000;
  assert.equal(countPassed(5_000, ask("a_one", "create")), createRate.perSecond);
  now += 3_600_000;
  assert.equal(countPassed(5_000, ask("a_one", "create")), createRate.burst, "never more than the burst");
});

test("the operator's admin key is not limited, its other keys and other administrators are", () => {
  const rates = createRateLimits(() => 0);
  const ask = (account: string, scope: Scope) => (): void => rates.mayAsk(caller(account, scope), "create");
  assert.equal(countPassed(1_000, ask("a_admin", "admin")), 1_000);
  assert.equal(countPassed(1_000, ask("a_admin", "sessions")), limits.createRate.burst);
  assert.equal(countPassed(1_000, ask("a_team", "admin")), limits.createRate.burst);
});

test("wrong tokens close an address to unknown tokens, not to known ones, and not its neighbours", () => {
  let now = 0;
  const rates = createRateLimits(() => now);
  const attempt =
    (hash: string, address: string, isRight = false) =>
    (): void =>
      rates.tryToken(token(hash), address)(isRight ? "right" : "wrong");
  attempt("known", "2001:db8::1", true)();
  const { burst } = limits.wrongTokenRate;
  for (let i = 0; i < 3 * burst; i += 1) attempt("right", "2001:db8::1", true)();
  assert.equal(countPassed(2 * burst, attempt("wrong", "2001:db8::1")), burst, "what is right costs nothing");
  assert.equal(countPassed(1, attempt("another", "2001:db8::2")), 0, "the same /64");
  assert.equal(countPassed(9, attempt("known", "2001:db8::2", true)), 9);
  assert.equal(countPassed(1, attempt("another", "2001:db8:0:1::1")), 1);
  attempt("known", "2001:db8::2", false)();
  assert.equal(countPassed(1, attempt("known", "2001:db8::2")), 0, "revoked, it is unknown");
  now += 3_000;
  assert.equal(countPassed(9, attempt("another", "2001:db8::2")), 3);
});

test("wrong tokens that come all at once are bounded before any of them was looked up", () => {
  const rates = createRateLimits(() => 0);
  const attempt = (): void => void rates.tryToken(token("wrong"), "192.0.2.1");
  assert.equal(countPassed(1_000, attempt), limits.wrongTokenRate.burst);
  const root = (): void => void rates.tryToken({ ...token("root"), isRoot: true }, "192.0.2.1");
  assert.equal(countPassed(1, root), 1);
});

test("a clock that is set back locks nobody out", () => {
  let now = 3_600_000;
  const rates = createRateLimits(() => now);
  const ask = (): void => rates.mayAsk(caller("a_team", "sessions"), "request");
  assert.equal(countPassed(1, ask), 1);
  now = 0;
  assert.equal(countPassed(1_000, ask), limits.requestRate.burst - 1);
  now = 1_000;
  assert.equal(countPassed(1_000, ask), limits.requestRate.perSecond);
});

test("wrong tokens from everywhere have a common rate, and who was not wrong lately gets a try", () => {
  let now = 0;
  const rates = createRateLimits(() => now);
  const sources = 20_000;
  const attempt = (i: number) => (): void =>
    rates.tryToken(token("wrong"), `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)("wrong");
  const all = (): number => {
    let passed = 0;
    for (let i = 0; i < sources; i += 1) passed += countPassed(1, attempt(i));
    return passed;
  };
  const { perSecond } = limits.wrongTokenRate;
  assert.equal(all(), sources, "the first one of each");
  assert.equal(all(), 5 * perSecond, "one moment of all that were wrong");
  now += 10_000;
  assert.equal(all(), 5 * perSecond);
  now += 1_000;
  assert.equal(all(), perSecond);
  assert.equal(countPassed(1, attempt(sources)), 1);
});

test("a site with many networks of its own has no more tries than a site", () => {
  let now = 0;
  const rates = createRateLimits(() => now);
  const { burst, everyMs } = limits.wrongTokenRate;
  const attempt = (i: number) => (): void =>
    rates.tryToken(token("wrong"), `2001:db8:7:${i.toString(16)}::1`)("wrong");
  const all = (): number => {
    let passed = 0;
    for (let i = 0; i < 65_536; i += 1) passed += countPassed(1, attempt(i));
    return passed;
  };
  assert.equal(all(), 4 * burst);
  now += 10 * everyMs;
  assert.equal(all(), 4 * 10);
});

test("the memory is bounded: of too many accounts the one that asked least lately is forgotten", () => {
  const rates = createRateLimits(() => 0);
  const ask = (account: string) => (): void => rates.mayAsk(caller(account, "sessions"), "create");
  countPassed(limits.createRate.burst, ask("a_first"));
  assert.equal(countPassed(1, ask("a_first")), 0);
  for (let i = 0; i < limits.sourcesRemembered; i += 1) ask(`a_${i}`)();
  assert.equal(countPassed(1, ask("a_first")), 1);
});
