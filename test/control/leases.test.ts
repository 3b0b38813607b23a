import assert from "node:assert/strict";
import { test } from "node:test";
import { keptAtMost, leasePort, releasePort } from "../../control/leases.ts";
import type { Lease, LeaseRequest, PortEntry, PortRange } from "../../control/leases.ts";
import { limits } from "../../protocol/limits.ts";

const small = { from: 20_000, to: 20_003 };

/** The books of a relay whose clock stands still until it is moved. */
function createBooks(range: PortRange = small) {
  const book = {
    ports: new Map<string, PortEntry>(),
    bySession: new Map<string, Lease>(),
    byName: new Map<string, number>(),
    kept: new Map<string, readonly number[]>(),
    leased: new Map<string, number>(),
  };
  let cursor = range.from;
  let now = 1_000_000;
  return {
    book,
    pass: (ms: number) => (now += ms),
    /** The leased port, or the code of the refusal. */
    lease: (session: string, request: Partial<LeaseRequest> = {}) => {
      const outcome = leasePort(
        book,
        { session, owner: "a_admin", name: session, wanted: null, strict: false, private: false, ...request },
        range,
        cursor,
        now,
      );
      if (!outcome.ok) return outcome.code;
      cursor = outcome.value.cursor;
      return outcome.value.port;
    },
    release: (session: string, next: "rest" | "avoid" = "rest") =>
      releasePort(book, session, next, range, now),
  };
}

test("ports are given in order from the first one, round and round", () => {
  const { lease, release, pass } = createBooks();
  assert.deepEqual([lease("a"), lease("b"), lease("c")], [20_000, 20_001, 20_002]);
  release("a");
  pass(limits.stickyMs);
  assert.equal(lease("d"), 20_003, "a port just freed is the last to be given again");
  assert.equal(lease("e"), 20_000);
});

test("a session that asks again keeps its port", () => {
  const { lease } = createBooks();
  assert.equal(lease("a"), 20_000);
  assert.equal(lease("a"), 20_000);
  assert.equal(lease("a", { wanted: 20_003 }), 20_000, "a wish does not move it");
  assert.equal(lease("a", { wanted: 20_003, strict: true }), 20_003);
  assert.equal(lease("b", { wanted: 20_000, strict: true }), "port_taken", "the old port rests");
});

test("a wanted port is given or refused; a mere wish falls back to the next free port", () => {
  const { lease } = createBooks();
  assert.equal(lease("a", { wanted: 20_002, strict: true }), 20_002);
  assert.equal(lease("b", { wanted: 20_002, strict: true }), "port_taken");
  assert.equal(lease("b", { wanted: 20_002 }), 20_000);
  assert.equal(lease("c", { wanted: 20_004, strict: true }), "port_unavailable");
  assert.equal(lease("c", { wanted: 20_004 }), 20_001);
});

test("a released port rests for the same owner and name, and for nobody else, for limits.stickyMs", () => {
  const { lease, release, pass } = createBooks();
  lease("a", { name: "box" });
  lease("b");
  release("a");
  assert.equal(lease("c", { name: "box", owner: "a_other" }), 20_002, "another owner's box");
  assert.equal(lease("d", { wanted: 20_000, strict: true }), "port_taken");
  assert.equal(lease("e", { name: "box" }), 20_000);
  release("e");
  pass(limits.stickyMs - 1);
  assert.equal(lease("f", { wanted: 20_000, strict: true }), "port_taken");
  pass(1);
  assert.equal(lease("f", { wanted: 20_000, strict: true }), 20_000);
});

test("a port on which the relay cannot listen is avoided for limits.stickyMs, by its own session too", () => {
  const { lease, release, pass } = createBooks();
  lease("a");
  release("a", "avoid");
  assert.equal(lease("a"), 20_001);
  assert.equal(lease("b", { wanted: 20_000, strict: true }), "port_unavailable");
  pass(limits.stickyMs);
  assert.equal(lease("b", { wanted: 20_000, strict: true }), 20_000);
});

test("a relay is full when every port is leased or avoided; one that rests gives way", () => {
  const { lease, release } = createBooks();
  for (const session of ["a", "b", "c", "d"]) lease(session);
  assert.equal(lease("e"), "full");
  release("b", "avoid");
  assert.equal(lease("e"), "full");
  release("a");
  assert.equal(lease("e"), 20_000);
  assert.equal(lease("a"), "full");
});

test("the books do not grow beyond the range, whoever comes and goes", () => {
  const { book, lease, release, pass } = createBooks();
  for (let round = 0; round < 100; round += 1) {
    const session = `s${round}`;
    assert.equal(typeof lease(session), "number");
    release(session);
    pass(limits.stickyMs);
  }
  assert.ok(
    book.ports.size <= 4 && book.byName.size <= 4,
    `${book.ports.size} ports, ${book.byName.size} names`,
  );
  assert.equal(book.bySession.size, 0);
});

test("releasing what a session does not hold changes nothing", () => {
  const { book, lease, release } = createBooks();
  release("nobody");
  lease("a");
  release("a");
  release("a", "avoid");
  assert.equal(book.ports.get("20000")?.kind, "resting");
});

test("a private session has a lease and no port, and changes its kind on request", () => {
  const { book, lease, release } = createBooks();
  const hidden = { private: true };
  for (const session of ["a", "b", "c", "d", "e"])
    assert.equal(lease(session, hidden), null, "no port is used up");
  assert.equal(lease("a", hidden), null);
  assert.equal(book.ports.size, 0);
  assert.equal(lease("a"), 20_000);
  assert.equal(lease("f"), 20_001);
  assert.equal(lease("a", hidden), null);
  assert.equal(lease("g", { wanted: 20_000, strict: true }), "port_taken", "the port that it had rests");
  assert.equal(lease("a"), 20_000, "… for itself");
  for (const session of ["a", "b", "c", "d", "e", "f"]) release(session);
  assert.equal(book.bySession.size, 0);
});

test("an owner who comes and goes keeps no more than a share of the ports: the oldest becomes free first", () => {
  const range = { from: 20_000, to: 20_255 };
  const most = keptAtMost(range);
  assert.equal(most, 16);
  const { book, lease, release, pass } = createBooks(range);
  for (let round = 0; round < most * 2; round += 1) {
    lease(`s${round}`, { owner: "a_eve" });
    release(`s${round}`, round % 4 === 3 ? "avoid" : "rest");
    pass(1);
  }
  assert.equal(book.ports.size, most);
  const strict = { owner: "a_bob", strict: true };
  assert.equal(lease("bob-1", { ...strict, wanted: 20_000 + most - 1 }), 20_000 + most - 1, "free again");
  assert.equal(lease("bob-2", { ...strict, wanted: 20_000 + most }), "port_taken", "still rests");
  assert.equal(lease(`s${most}`, { owner: "a_eve" }), 20_000 + most, "… for its own name");
  const names = book.byName.size;
  pass(limits.stickyMs);
  for (let each = 0; each < 256 - 2; each += 1)
    assert.equal(typeof lease(`all-${each}`, { owner: `a_${each % 64}` }), "number");
  assert.ok(names > 0 && book.byName.size === 0 && book.kept.size === 0, "nothing is left of what was kept");
});

const hundred = { from: 20_000, to: 20_099 };

test("one account takes four fifths of the ports at most, and newcomers still find some", () => {
  const { lease, book } = createBooks(hundred);
  const takeAll = (owner: string): number => {
    let got = 0;
    while (typeof lease(`${owner}-${got}`, { owner }) === "number") got += 1;
    return got;
  };
  assert.deepEqual(
    Array.from({ length: 4 }, (_, i) => takeAll(`a_${i}`)),
    [80, 16, 4, 0],
  );
  assert.equal(lease("a_0-0", { owner: "a_0" }), 20_000, "who has a port keeps it");
  assert.equal(book.leased.get("all"), 100);
});

test("a session that changes its port needs no second share", () => {
  const { lease } = createBooks(hundred);
  for (let i = 0; i < 80; i += 1) lease(`s${i}`);
  assert.equal(lease("one more"), "full");
  assert.equal(lease("s0", { wanted: 20_090, strict: true }), 20_090);
  assert.equal(lease("one more"), "full");
});

test("when no port is free the oldest resting one of whoever keeps most goes to a newcomer", () => {
  const { lease, release } = createBooks(hundred);
  const rest = (owner: string, count: number): void => {
    for (let i = 0; i < count; i += 1) lease(`${owner}-${i}`, { owner });
    for (let i = 0; i < count; i += 1) release(`${owner}-${i}`);
  };
  for (let i = 0; i < 15; i += 1) rest(`a_${i}`, i === 7 ? 8 : 6);
  for (let i = 0; i < 8; i += 1) assert.equal(typeof lease(`b-${i}`, { owner: "a_b" }), "number");
  assert.equal(lease("c", { owner: "a_c" }), 20_042, "all others are leased or rest");
});
