import assert from "node:assert/strict";
import { test } from "node:test";
import { plainAddress } from "../../protocol/plain-address.ts";

test("an IPv4 address inside IPv6 is compared as IPv4, and a zone is left out", () => {
  assert.equal(plainAddress("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(plainAddress("fe80::1%eth0"), "fe80::1");
  assert.equal(plainAddress("2001:db8::1"), "2001:db8::1");
});
