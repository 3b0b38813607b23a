import assert from "node:assert/strict";
import { test } from "node:test";
import { readProxies } from "../../../net/proxy/proxies.ts";

const half = { use: "half", host: "relay.example.org", port: 8788 } as const;
const api = { use: "https", host: "rdv.example.org", port: 443 } as const;

test("halves and https go through HTTPS_PROXY, http through HTTP_PROXY, and what is left through ALL_PROXY", () => {
  const all = readProxies({
    HTTPS_PROXY: "http://one:1",
    HTTP_PROXY: "http://two:2",
    ALL_PROXY: "http://three:3",
  });
  assert.equal(all.for(half)?.host, "one");
  assert.equal(all.for(api)?.host, "one");
  assert.equal(all.for({ ...api, use: "http" })?.host, "two");
  const last = readProxies({ ALL_PROXY: "http://three:3" });
  assert.deepEqual([last.for(half)?.host, last.for({ ...api, use: "http" })?.port], ["three", 3]);
  assert.equal(readProxies({ HTTP_PROXY: "http://two:2" }).for(half), undefined);
  assert.equal(readProxies({}).for(half), undefined);
});

test("lower case goes before upper case, and an empty variable is none", () => {
  const proxies = readProxies({ https_proxy: "http://lower:1", HTTPS_PROXY: "http://upper:2" });
  assert.deepEqual([proxies.for(half)?.host, proxies.for(half)?.variable], ["lower", "https_proxy"]);
  assert.equal(readProxies({ https_proxy: "", HTTPS_PROXY: " " }).for(half), undefined);
});

test("a proxy may be written without scheme, with a password, and in IPv6", () => {
  const named = (HTTPS_PROXY: string) => readProxies({ HTTPS_PROXY }).for(half);
  assert.deepEqual([named("proxy.corp:3128")?.host, named("proxy.corp:3128")?.port], ["proxy.corp", 3128]);
  assert.equal(named("http://proxy.corp")?.port, 80);
  assert.equal(named("http://[2001:db8::1]:3128")?.host, "2001:db8::1");
  assert.equal(named("http://proxy.corp")?.authorization, undefined);
  const basic = `Basic ${Buffer.from("anna:p@ss%").toString("base64")}`;
  assert.equal(named("http://anna:p%40ss%@proxy.corp:3128")?.authorization, basic);
});

test("what is no HTTP proxy is refused when it is needed, without showing the password", () => {
  const socks = readProxies({ ALL_PROXY: "socks5://anna:secret@proxy:1080", NO_PROXY: "near.example" });
  assert.equal(socks.for({ ...half, host: "near.example" }), undefined);
  for (const value of [
    "socks5://anna:secret@proxy:1080",
    "http://anna:secret@:x",
    "https://anna:secret@proxy:1",
  ])
    assert.throws(
      () => readProxies({ HTTPS_PROXY: value }).for(half),
      (error: Error) => error.message.startsWith("HTTPS_PROXY ") && !error.message.includes("secret"),
    );
});

test("NO_PROXY names what goes directly", () => {
  const direct = (NO_PROXY: string, host: string, port = 443): boolean =>
    readProxies({ HTTPS_PROXY: "http://proxy:1", NO_PROXY }).for({ use: "half", host, port }) === undefined;
  assert.ok(direct("*", "relay.example.org"));
  for (const entry of [
    "example.org",
    ".example.org",
    "*.example.org",
    "other.net, EXAMPLE.org.",
    "x y\texample.org",
  ]) {
    assert.ok(direct(entry, "example.org"), entry);
    assert.ok(direct(entry, "Relay.example.org."), entry);
    assert.ok(!direct(entry, "badexample.org"), entry);
  }
  assert.ok(direct("example.org:8788", "example.org", 8788));
  assert.ok(!direct("example.org:8788", "example.org", 443));
  assert.ok(direct("192.0.2.7", "192.0.2.7"));
  assert.ok(!direct("192.0.2.7", "192.0.2.70"));
  assert.ok(direct("192.0.2.0/24", "192.0.2.70"));
  assert.ok(!direct("192.0.2.0/24", "192.0.3.1"));
  assert.ok(direct("2001:db8:0::1", "[2001:db8::1]"), "an address in another spelling");
  assert.ok(!direct("2001:db8::1", "[2001:db8::2]"));
  assert.ok(direct("2001:db8::/32", "[2001:db8:1::5]"));
  assert.ok(direct("[2001:db8::1]:8788", "2001:db8::1", 8788));
  for (const nonsense of ["192.0.2.0/99", "192.0.2.1/", ",,", "/", "a:b:c"])
    assert.ok(!direct(nonsense, "192.0.2.1"), nonsense);
});

test("loopback is never proxied", () => {
  const proxies = readProxies({ ALL_PROXY: "http://proxy:1" });
  for (const host of [
    "localhost",
    "my.localhost",
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
  ])
    assert.equal(proxies.for({ ...half, host }), undefined, host);
  assert.notEqual(proxies.for({ ...half, host: "notlocalhost" }), undefined);
});
