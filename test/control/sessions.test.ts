import assert from "node:assert/strict";
import { BlockList, isIPv6 } from "node:net";
import { test } from "node:test";
import { canonicalAllow } from "../../control/allow.ts";
import { newSessionId } from "../../control/identifiers.ts";
import { chooseName } from "../../control/names.ts";
import { helloRecord, relayView } from "../../control/relays.ts";
import { createSerial } from "../../control/serial.ts";
import {
  SessionRecord,
  attachedRecord,
  detachedRecord,
  dueEnd,
  endedRecord,
  forgetAt,
  newRecord,
  nextLook,
  resumedRecord,
  ticketFor,
  viewOf,
} from "../../control/sessions.ts";
import { SessionId, SessionName } from "../../protocol/api.ts";
import { limits } from "../../protocol/limits.ts";

const start = 1_800_000_000_000;
const placement = {
  relay: "r_00000001",
  region: "eu",
  host: "2001:db8::1",
  sharedPort: 8788,
  clientPort: 20_000,
  tls: null,
};
const identity = {
  id: newSessionId(),
  owner: "a_admin",
  name: "box",
  madeWith: "k_test",
  placements: [placement],
};
const created = newRecord(identity, { target: "localhost:22" }, start);

test("a new session's record fits its schema and shows itself as waiting at a dialable address", () => {
  assert.deepEqual(SessionRecord.parse(created), created);
  const view = viewOf(created, null);
  assert.equal(view.state, "waiting");
  assert.equal(view.address, "[2001:db8::1]:20000");
  assert.equal(view.seenAt, null);
});

test("a session whose agent stays away ends after limits.stickyMs, not before", () => {
  assert.equal(dueEnd(created, start + limits.stickyMs - 1), undefined);
  assert.match(dueEnd(created, start + limits.stickyMs) ?? "", /agent/);
  assert.equal(nextLook(created, start), start + 30_000, "not yet in the account's list");
  assert.equal(nextLook({ ...created, reported: 1 }, start), start + limits.stickyMs);
});

test("a live session is looked at regularly and ends only when its time is over", () => {
  const live = {
    ...attachedRecord(newRecord(identity, { target: "x", ttlSeconds: 3_600 }, start), {}, start),
    reported: 9,
  };
  assert.equal(live.epoch, 1);
  assert.equal(dueEnd(live, start + 3_599_999), undefined);
  assert.match(dueEnd(live, start + 3_600_000) ?? "", /time/);
  assert.ok(nextLook(live, start) < start + limits.ticketRenewMs, "in time to renew its tickets");
  assert.equal(nextLook(live, start + 3_599_000), start + 3_600_000);
});

test("an agent that goes away starts the clock, one that comes back stops it", () => {
  const gone = detachedRecord(attachedRecord(created, {}, start + 1), start + 5_000);
  assert.match(dueEnd(gone, start + 5_000 + limits.stickyMs) ?? "", /agent/);
  const back = attachedRecord(gone, {}, start + 6_000);
  assert.equal(back.epoch, 2);
  assert.equal(dueEnd(back, start + 10 * limits.stickyMs), undefined);
});

test("a session that is asked for again keeps its identity and takes the newest request", () => {
  const again = resumedRecord(
    attachedRecord(created, {}, start),
    { target: "y", allow: ["10.0.0.0/8"], port: 20_000 },
    start + 9,
  );
  assert.equal(again.id, created.id);
  assert.equal(again.epoch, 1);
  assert.equal(again.createdAt, start);
  assert.equal(again.target, "y");
  assert.equal(again.fixedPort, true);
  assert.equal(again.goneAt, null, "a live agent stays live");
});

test("tickets live limits.ticketSeconds, and never longer than their session", () => {
  assert.equal(ticketFor(created, placement, start).expires, start / 1_000 + limits.ticketSeconds);
  const short = newRecord(identity, { target: "x", ttlSeconds: 60 }, start);
  assert.equal(ticketFor(short, placement, start).expires, start / 1_000 + 60);
});

test("an ended session is remembered until its last ticket is dead", () => {
  const ended = endedRecord({ ...created, ticketsUntil: start / 1_000 + 100 }, "because", start);
  assert.equal(viewOf(ended, null).state, "ended");
  assert.ok(nextLook(ended, start) > start, "tried again while relay and account do not know");
  const released = { ...ended, ended: { reason: "because", released: true } };
  assert.equal(nextLook(released, start), forgetAt(ended));
  assert.equal(forgetAt(ended), start + (100 + limits.ticketSkewSeconds) * 1_000);
});

test("a name that is taken gets the next free number, within the length of a name", () => {
  const taken = new Set(["box", "box-2", "box-4"]);
  assert.equal(
    chooseName("fox", (name) => taken.has(name)),
    "fox",
  );
  assert.equal(
    chooseName("box", (name) => taken.has(name)),
    "box-3",
  );
  const long = "a".repeat(57) + "-" + "b".repeat(5);
  const numbered = chooseName(long, (name) => name === long);
  assert.equal(numbered, `${"a".repeat(57)}-2`);
  assert.ok(SessionName.safeParse(numbered).success);
  assert.equal(
    chooseName("box", () => true),
    undefined,
  );
});

test("session ids fit their pattern and do not repeat", () => {
  const ids = Array.from({ length: 1_000 }, newSessionId);
  assert.equal(new Set(ids).size, 1_000);
  assert.ok(ids.every((id) => SessionId.safeParse(id).success));
});

for (const [written, canonical] of [
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:192.0.2.0/120", "192.0.2.0/24"],
  ["::ffff:c000:0201", "192.0.2.1"],
  ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:0:0/95", "::fffe:0:0/95"],
  ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:db8:ffff::1/32", "2001:db8::/32"],
  ["0:0:0:0:0:0:0:0/0", "::/0"],
  ["::1/128", "::1"],
  ["1:0:0:0:0:0:0:0", "1::"],
  ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["192.0.2.7/32", "192.0.2.7"],
  ["255.255.255.255/0", "0.0.0.0/0"],
  ["2001:DB8::1", "2001:db8::1"],
  ["10.0.0.0/8", "10.0.0.0/8"],
] as const)
  test(`the allowed range ${written} is kept as ${canonical}`, () => {
    assert.deepEqual(canonicalAllow([written, canonical]), [canonical]);
  });

test("the canonical spelling means the same addresses as what was written", () => {
  const word = (): string => Math.floor(Math.random() * 65_536).toString(16);
  for (let i = 0; i < 500; i += 1) {
    const groups = Array.from({ length: 8 }, () => (Math.random() < 0.4 ? "0" : word()));
    const prefix = Math.floor(Math.random() * 129);
    const [canonical = ""] = canonicalAllow([`${groups.join(":")}/${prefix}`]);
    const [network = "", length = "128"] = canonical.split("/");
    const [written, kept] = [new BlockList(), new BlockList()];
    written.addSubnet(groups.join(":"), prefix, "ipv6");
    kept.addSubnet(network, Number(length), isIPv6(network) ? "ipv6" : "ipv4");
    for (const address of [
      groups.join(":"),
      network,
      "::1",
      groups.with(7, word()).join(":"),
      groups.with(3, word()).join(":"),
    ])
      if (isIPv6(address))
        assert.equal(
          kept.check(address, "ipv6"),
          written.check(address, "ipv6"),
          `${address} in ${canonical}`,
        );
  }
});

test("a relay without a sign of life for limits.deadAfterMs is gone, and back after its next hello", () => {
  const hello = {
    type: "hello",
    region: "eu",
    host: "h",
    sharedPort: 1,
    tls: null,
    ports: { from: 5, to: 9 },
    version: "1",
  } as const;
  const record = helloRecord(undefined, "r_00000001", hello, start);
  assert.equal(record.cursor, 5);
  assert.equal(relayView(record, start, start + limits.deadAfterMs - 1).state, "up");
  assert.equal(relayView(record, start, start + limits.deadAfterMs).state, "gone");
  const again = helloRecord(
    { ...record, cursor: 7, leases: 2 },
    "r_00000001",
    { ...hello, host: "new" },
    start + 60_000,
  );
  assert.deepEqual([again.cursor, again.leases, again.host, again.seenAt], [7, 2, "new", start + 60_000]);
});

test("tasks in turn run one after the other, also after one that failed", async () => {
  const inTurn = createSerial();
  const steps: string[] = [];
  const first = Promise.withResolvers<void>();
  const one = inTurn(async () => {
    steps.push("one begins");
    await first.promise;
    throw new Error("one fails");
  });
  const two = inTurn(async () => {
    steps.push("two begins");
    return 2;
  });
  first.resolve();
  await assert.rejects(one, /one fails/);
  assert.equal(await two, 2);
  assert.deepEqual(steps, ["one begins", "two begins"]);
});
