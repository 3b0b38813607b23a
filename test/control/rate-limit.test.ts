import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimits } from "../../control/rate-limit.ts";
import type { RequestKind } from "../../control/rate-limit.ts";
import type { Scope } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";

const token = (hash: string) => ({ account: "a_team", hash, isRoot: false });
const caller = (account: string, ...scopes: Scope[]) => ({ account, key: "k", scopes });

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
    rates.mayAsk(token("t"), caller(account, "sessions"), kind);
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
  const ask = (account: string, scope: Scope) => (): void =>
    rates.mayAsk(token("t"), caller(account, scope), "create");
  assert.equal(countPassed(1_000, ask("a_admin", "admin")), 1_000);
  assert.equal(countPassed(1_000, ask("a_admin", "sessions")), limits.createRate.burst);
  assert.equal(countPassed(1_000, ask("a_team", "admin")), limits.createRate.burst);
});

test("wrong tokens close an address to unknown tokens, not to known ones, and not its neighbours", () => {
  let now = 0;
  const rates = createRateLimits(() => now);
  const attempt = (hash: string, address: string) => (): void => rates.mayTry(token(hash), address);
  rates.mayAsk(token("known"), caller("a_team", "sessions"), "request");
  for (let i = 0; i < limits.wrongTokenRate.burst; i += 1) {
    attempt(`wrong-${i}`, "2001:db8::1")();
    rates.wasWrong("2001:db8::1");
  }
  assert.equal(countPassed(1, attempt("another", "2001:db8::2")), 0, "the same /64");
  assert.equal(countPassed(1, attempt("known", "2001:db8::2")), 1);
  assert.equal(countPassed(1, attempt("another", "2001:db8:0:1::1")), 1);
  now += 1_000;
  assert.equal(countPassed(1, attempt("another", "2001:db8::2")), 1);
});

test("the memory is bounded: of too many addresses the one seen least lately is forgotten", () => {
  const rates = createRateLimits(() => 0);
  for (let i = 0; i < limits.wrongTokenRate.burst; i += 1) rates.wasWrong("192.0.2.1");
  const attempt = (): void => rates.mayTry(token("x"), "192.0.2.1");
  assert.equal(countPassed(1, attempt), 0);
  for (let i = 0; i < limits.sourcesRemembered; i += 1)
    rates.wasWrong(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  assert.equal(countPassed(1, attempt), 1);
});
