import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceOf, sourcesOf } from "../../protocol/source-address.ts";

test("one subscriber is one source, however the address is written", () => {
  const cases = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:0DB8:0:0:ffff::", "2001:db8:0:0::/64"],
    ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
    ["2001:db8:1:2:aaaa::192.0.2.1", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
  ] as const;
  for (const [address, source] of cases) assert.equal(sourceOf(address), source, address);
});

test("an IPv6 address stands for its network and for what a home, a site and a provider have", () => {
  assert.deepEqual(sourcesOf("2001:db8:1:23ff::9"), [
    "2001:db8:1:23ff::/64",
    "2001:db8:1:2300::/56",
    "2001:db8:1::/48",
    "2001:db8::/32",
  ]);
  assert.deepEqual(sourcesOf("::ffff:192.0.2.1"), ["192.0.2.1"]);
});

test("what is no address is one source, whatever it says", () => {
  for (const text of ["", "unknown", "192.0.2.1x", "a b", "x".repeat(1_000), "[::1]", "1.2.3.4, 5.6.7.8"])
    assert.deepEqual(sourcesOf(text), ["unknown"], text);
});
