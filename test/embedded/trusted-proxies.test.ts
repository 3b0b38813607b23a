import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { Peer } from "../../control/app.ts";
import { createPeerReader } from "../../embedded/host/trusted-proxies.ts";

/** Who sends a request with these headers over a connection from `remoteAddress`, when `trusted` are believed. */
function peerOf(trusted: readonly string[], remoteAddress: string, headers: IncomingHttpHeaders): Peer {
  const socket = { remoteAddress, remotePort: 40_000 } as Socket; // nothing else of the socket is read
  return createPeerReader(trusted)({ socket, headers: { host: "rdv.example.org:8787", ...headers } });
}

function addressOf(
  trusted: readonly string[],
  remoteAddress: string,
  forwardedFor: string,
): string | undefined {
  return peerOf(trusted, remoteAddress, { "x-forwarded-for": forwardedFor }).address;
}

test("nobody is believed by default, and strangers never", () => {
  for (const trusted of [[], ["10.0.0.0/8"]])
    for (const peer of ["127.0.0.1", "::1", "203.0.113.7", "::ffff:203.0.113.7"]) {
      const headers = {
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
      };
      const address = peer.replace("::ffff:", "");
      const origin = "http://rdv.example.org:8787";
      assert.deepEqual(peerOf(trusted, peer, headers), { address, port: 40_000, origin });
    }
});

test("of a trusted proxy's list the last address counts that is no trusted proxy's", () => {
  const trusted = ["127.0.0.1", "::1", "10.0.0.0/8", "2001:db8:1::/48"];
  for (const [peer, header, client] of [
    ["127.0.0.1", "192.0.2.1", "192.0.2.1"],
    ["::ffff:127.0.0.1", "192.0.2.1", "192.0.2.1"],
    ["::1", "1.1.1.1, 192.0.2.1", "192.0.2.1"],
    ["127.0.0.1", "1.1.1.1, 192.0.2.1,10.0.0.7", "192.0.2.1"],
    ["127.0.0.1", "10.0.0.9, 10.0.0.7", "10.0.0.9"],
    ["127.0.0.1", "192.0.2.1, 2001:DB8:1::7", "192.0.2.1"],
    ["127.0.0.1", "192.0.2.1:1234", "192.0.2.1"],
    ["127.0.0.1", "[2001:DB8:0::0:1]:1234", "2001:db8::1"],
    ["127.0.0.1", "[2001:db8::1]", "2001:db8::1"],
    ["127.0.0.1", "2001:db8::1", "2001:db8::1"],
    ["127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"],
    ["127.0.0.1", "::FFFF:c000:201", "192.0.2.1"],
    ["127.0.0.1", "192.0.2.1, unknown", "127.0.0.1"],
    ["127.0.0.1", "192.0.2.1, unknown, 10.0.0.7", "10.0.0.7"],
    ["127.0.0.1", " , ,192.0.2.1, ,", "192.0.2.1"],
    ["127.0.0.1", "", "127.0.0.1"],
  ] as const)
    assert.equal(addressOf(trusted, peer, header), client, `${peer}: ${header}`);
});

test("a port is told only where it is the client's own", () => {
  assert.equal(peerOf(["127.0.0.1"], "127.0.0.1", { "x-forwarded-for": "192.0.2.1" }).port, undefined);
  assert.equal(peerOf(["127.0.0.1"], "127.0.0.1", { "x-forwarded-for": "nonsense" }).port, undefined);
  assert.equal(peerOf(["127.0.0.1"], "127.0.0.1", {}).port, 40_000);
});

test("a trusted proxy says by which origin its client came", () => {
  const origin = (headers: IncomingHttpHeaders) => peerOf(["127.0.0.1"], "127.0.0.1", headers).origin;
  assert.equal(origin({}), "http://rdv.example.org:8787");
  assert.equal(origin({ "x-forwarded-proto": "https" }), "https://rdv.example.org:8787");
  assert.equal(origin({ "x-forwarded-proto": "gopher" }), "http://rdv.example.org:8787");
  assert.equal(
    origin({ "x-forwarded-proto": "https", "x-forwarded-host": "first.example, help.example.org" }),
    "https://help.example.org",
  );
});
