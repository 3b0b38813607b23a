import assert from "node:assert/strict";
import { test } from "node:test";
import type { TimedKey } from "../../control/signing-keys.ts";
import { configuredKeys, keptKeys, overlapSeconds, signingKeysAt } from "../../control/signing-keys.ts";
import { newSigningKey } from "../../embedded/secrets.ts";
import { limits } from "../../protocol/limits.ts";

const keyOf = (kid: string, signsFrom: number): TimedKey => ({ jwk: { ...newSigningKey(), kid }, signsFrom });
const kids = (keys: readonly { readonly kid: string }[]): string => keys.map(({ kid }) => kid).join(" ");
const seen = (keys: readonly TimedKey[], now: number): string => {
  const { signing, published } = signingKeysAt(keys, now);
  return `${signing.kid} of ${kids(published)}`;
};

test("the newest key whose time has come signs, and each is published until tickets of it have ended", () => {
  const keys = [keyOf("second", 1_000), keyOf("first", 0)];
  for (const [now, expected] of [
    [0, "first of first second"],
    [999, "first of first second"],
    [1_000, "second of first second"],
    [1_000 + overlapSeconds - 1, "second of first second"],
    [1_000 + overlapSeconds, "second of second"],
  ] as const)
    assert.equal(seen(keys, now), expected, `at ${now}`);
});

test("a key outlives the longest ticket that it can have signed, and the skew of a relay's clock", () => {
  assert.ok(overlapSeconds >= limits.invitationSeconds + limits.ticketSkewSeconds);
  assert.ok(overlapSeconds >= limits.ticketSeconds + limits.ticketSkewSeconds);
  assert.ok(limits.signingKeyDelaySeconds * 1_000 > 4 * limits.heartbeatMs, "relays learn it meanwhile");
});

test("of three keys each goes a full overlap after its own successor", () => {
  const keys = [keyOf("a", 0), keyOf("b", 1_000), keyOf("c", 2_000)];
  assert.equal(kids(keptKeys(keys, 999 + overlapSeconds).map(({ jwk }) => jwk)), "a b c");
  assert.equal(kids(keptKeys(keys, 1_000 + overlapSeconds).map(({ jwk }) => jwk)), "b c");
  assert.equal(kids(keptKeys(keys, 2_000 + overlapSeconds).map(({ jwk }) => jwk)), "c");
});

test("a clock that was set back leaves a key that signs", () => {
  assert.equal(seen([keyOf("only", 5_000)], 10), "only of only");
});

test("a configuration signs with one key and publishes both, and two keys of one id are refused", () => {
  const [signingKey, otherKey] = [newSigningKey(), newSigningKey()];
  const [one, other] = [JSON.stringify(signingKey), JSON.stringify(otherKey)];
  const { signing, published } = configuredKeys({
    RDV_SIGNING_KEY: one,
    RDV_SIGNING_KEY_OTHER: other,
  }).read();
  assert.deepEqual(signing, signingKey);
  const { d: _private, ...open } = otherKey;
  assert.deepEqual(published, [signingKey, open], "of the other one only what verifies");
  const refusals = [
    [{}, /RDV_SIGNING_KEY is not/],
    [{ RDV_SIGNING_KEY: one, RDV_SIGNING_KEY_OTHER: "{}" }, /RDV_SIGNING_KEY_OTHER is not/],
    [{ RDV_SIGNING_KEY: one, RDV_SIGNING_KEY_OTHER: one }, /the same kid/],
  ] as const;
  for (const [env, message] of refusals)
    assert.throws(() => configuredKeys(env).read(), { code: "not_configured", message });
});
