import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackoff } from "../../net/backoff.ts";
import { createLog } from "../../net/log.ts";
import { Cidr, CreateSession } from "../../protocol/api.ts";
import { formatPaired, parseHalfAnswer } from "../../protocol/handshake.ts";
import { CreateKey } from "../../protocol/keys.ts";
import { limits } from "../../protocol/limits.ts";
import { SessionSignal } from "../../protocol/signals.ts";
import { createAllowList } from "../../relay-node/allow-list.ts";

const placement = {
  relay: "r_relayundertest",
  region: "test",
  host: "relay.example",
  sharedPort: 8_788,
  clientPort: 20_000,
  ticket: "eyJ.eyJ.sig",
  ticketExpires: 2_000_000_000,
};

function placed(change: Partial<typeof placement>, count = 1): boolean {
  const placements = Array.from({ length: count }, () => ({ ...placement, ...change }));
  const signal = { type: "placed", session: "s_sessionundertest0000", name: "test", epoch: 1, placements };
  return SessionSignal.safeParse(signal).success;
}

test("a control plane cannot put lines into the request of a half, nor name relays without end", () => {
  assert.ok(placed({}));
  assert.ok(!placed({ ticket: "eyJ\r\nX-Forged: yes" }));
  assert.ok(!placed({ ticket: "eyJ\n" }));
  assert.ok(!placed({ ticket: "x".repeat(limits.handshakeBytes) }));
  assert.ok(!placed({ host: "relay.example\r\nX-Forged: yes" }));
  assert.ok(!placed({ host: "relay.example\n" }));
  assert.ok(!placed({ host: "-lcsh" }));
  assert.ok(!placed({ sharedPort: 65_536 }));
  assert.ok(!placed({ clientPort: 0 }));
  assert.ok(!placed({}, limits.relaysPerSession + 1));
});

test("a relay cannot steer the agent's terminal with what it says of a client", () => {
  const said = (client: string) =>
    parseHalfAnswer(formatPaired({ pair: "p1", client, demand: 0, ticketed: false }), false).type;
  assert.equal(said("192.0.2.1:4711"), "paired");
  assert.equal(said("[2001:db8::1]:4711"), "paired");
  for (const client of ["\u001b[2J", "a b", "\u009b31m", "x".repeat(101), ""])
    assert.equal(said(client), "malformed", JSON.stringify(client));
});

test("a demand that no relay can have is refused", () => {
  const said = (demand: number) =>
    parseHalfAnswer(formatPaired({ pair: "p1", client: "192.0.2.1:1", demand, ticketed: false }), false).type;
  for (const demand of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.equal(said(demand), "malformed");
});

test("every range that the API takes can be checked by a relay", () => {
  const good = ["0.0.0.0/0", "::/0", "::ffff:192.0.2.0/120", "192.0.2.1", "2001:db8::1", "2001:db8::/32"];
  for (const range of good) {
    assert.ok(Cidr.safeParse(range).success, range);
    createAllowList([range]);
  }
  const bad = [
    "2001:db8::/3.2",
    "2001:db8::/1e1",
    "2001:db8::/+3",
    "2001:db8::/",
    "192.0.2.0/0x8",
    "fe80::1%eth0",
  ];
  for (const range of bad) assert.ok(!Cidr.safeParse(range).success, range);
});

test("ranges written as IPv4 inside IPv6 meet clients of either spelling", () => {
  const allows = createAllowList(["::ffff:192.0.2.0/120", "198.51.100.7"]);
  for (const ip of ["192.0.2.9", "::ffff:192.0.2.9", "::FFFF:198.51.100.7"]) assert.ok(allows(ip), ip);
  for (const ip of ["192.0.3.9", "::ffff:192.0.3.9", "198.51.100.8", "2001:db8::1", "", "nonsense"])
    assert.ok(!allows(ip), ip);
});

test("a log line is one line without control characters, whatever strangers sent", () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line), level: "debug" });
  const evil = "x\n2026-01-01T00:00:00.000Z info forged\r\u001b[2J\u0085\u2028\u009b31m";
  log.info(`message ${evil}`, { plain: "\u001b[2J", quoted: evil });
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines[0] ?? "", /[\p{Cc}\u2028\u2029](?!$)/u);
  assert.match(lines[0] ?? "", /\\u001b\[2J/);
});

test("what lists show has no control characters", () => {
  const target = (text: string) => CreateSession.safeParse({ target: text }).success;
  assert.ok(target("nas é:22"));
  for (const text of ["a\nb", "\u001b[31m", "\u0000", "\ud800", "\u2028", "\u009b"])
    assert.ok(!target(text), JSON.stringify(text));
  assert.ok(!CreateKey.safeParse({ label: "\u001b[2J", scopes: ["sessions"] }).success);
});

test("a Retry-After of a thousand years is a long wait, not an endless loop", () => {
  const longestTimerMs = 2 ** 31 - 1;
  const wait = createBackoff().next(1_000 * 365 * 86_400 * 1_000);
  assert.ok(wait >= limits.retryAfterMaxMs && wait < longestTimerMs, String(wait));
});
