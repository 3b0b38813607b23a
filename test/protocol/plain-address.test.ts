import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, isLoopbackHost, plainAddress } from "../../protocol/plain-address.ts";

test("an IPv4 address inside IPv6 is compared as IPv4, and a zone is left out", () => {
  assert.equal(plainAddress("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(plainAddress("fe80::1%eth0"), "fe80::1");
  assert.equal(plainAddress("2001:db8::1"), "2001:db8::1");
});

test("loopback is this machine in every notation, and nothing else", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    assert(isLoopback(address), address);
  for (const address of ["128.0.0.1", "::", "::2", "2001:db8::1", "::ffff:10.0.0.1", "1270::1"])
    assert(!isLoopback(address), address);
});

test("a host is this machine only when every program reads it so", () => {
  for (const host of [
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "127.0.0.1",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
  ])
    assert(isLoopbackHost(host), host);
  const others = [
    "127.example.org",
    "127.0.0.1.example.org",
    "0177.0.0.1",
    "127.1",
    "127.0.0.256",
    "2130706433",
  ];
  for (const host of [...others, "0.0.0.0", "::", "mylocalhost", "localhost.example.org", ""])
    assert(!isLoopbackHost(host), host);
});
