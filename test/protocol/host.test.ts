import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalHost, readHostPort } from "../../protocol/host.ts";

test("names and addresses have one spelling", () => {
  const same = [
    "localhost",
    "relay.example.org",
    "my_nas",
    "xn--bcher-kva.example",
    "a-b.c",
    "1and1.com",
    "0xg.com",
  ];
  for (const host of [...same, "192.0.2.1", "::1", "2001:db8::1"]) assert.equal(canonicalHost(host), host);
  assert.equal(canonicalHost("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  assert.equal(canonicalHost("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(canonicalHost("::FFFF:c000:201"), "192.0.2.1");
  assert.equal(canonicalHost("0:0:0:0:0:ffff:a9fe:a9fe"), "169.254.169.254");
});

test("an address in decimal, octal or hex is none, nor is anything that a resolver might take for one", () => {
  const odd = [
    ..."2130706433 0x7f000001 0X7F.1 017700000001 127.1 127.0.1 0177.0.0.1 127.0.0.01 127.0.0.0x1 0x7f.0.0.1".split(
      " ",
    ),
    ..."256.0.0.1 1.2.3.4.5 127.0.0.1. localhost. a..b .a nas.0x a.1 0x 0 00 4294967297 １２７.0.0.1".split(
      " ",
    ),
    ..."fe80::1%eth0 [::1] ::g 1::2::3 -lcsh -oProxyCommand=x a.-b b-.a $(touch) a;b a/b a@b".split(" "),
    ..."a%h %h a,b {a,b} * a?b ~ ..".split(" "),
    "",
    "a b",
    "a\nb",
    "a\u0000",
    "ſ",
    "x".repeat(64),
    Array.from({ length: 130 }, () => "a").join("."),
  ];
  for (const host of odd) assert.equal(canonicalHost(host), undefined, JSON.stringify(host));
});

test("a port stands behind a host, with brackets around IPv6 alone", () => {
  assert.deepEqual(readHostPort("localhost:22"), { host: "localhost", port: 22 });
  assert.deepEqual(readHostPort("[::1]:22"), { host: "::1", port: 22 });
  assert.deepEqual(readHostPort("[::ffff:127.0.0.1]:22"), { host: "127.0.0.1", port: 22 });
  for (const text of [
    "::1:22",
    "[localhost]:22",
    "[127.0.0.1]:22",
    "a:0",
    "a:022",
    "a:65536",
    "a:-1",
    "a:",
    ":22",
    "a",
    "a:22\n",
  ])
    assert.equal(readHostPort(text), undefined, text);
});
