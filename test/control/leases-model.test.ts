import assert from "node:assert/strict";
import { test } from "node:test";
import { keptAtMost, leasePort, offerPorts, portOf, releasePort } from "../../control/leases.ts";
import type { Lease, PortEntry } from "../../control/leases.ts";
import { limits } from "../../protocol/limits.ts";
import { randomFrom } from "./random.ts";

const range = { from: 20_000, to: 20_023 };
const steps = 100_000;

/** What the relay's object writes down; a crash forgets everything else. */
interface Stored {
  readonly ports: Map<string, PortEntry>;
  readonly bySession: Map<string, Lease>;
  readonly byName: Map<string, number>;
  readonly kept: Map<string, readonly number[]>;
  readonly leased: Map<string, number>;
  cursor: number;
}

function copyOf({ ports, bySession, byName, kept, leased, cursor }: Stored): Stored {
  return {
    ports: new Map(ports),
    bySession: new Map(bySession),
    byName: new Map(byName),
    kept: new Map(kept),
    leased: new Map(leased),
    cursor,
  };
}

interface ModelSession {
  readonly owner: string;
  readonly name: string;
  /** What it was asked for last. */
  private: boolean;
}

/**
 * The truth beside the books: who was told that it has which port. A session that was cut off while it was released
 * does not know, and one whose answer was lost asks again, as real ones do.
 */
test(`${steps} random steps of leases, crashes and partitions: never two owners, never a leak`, () => {
  const random = randomFrom(4_711);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  let book: Stored = {
    ports: new Map(),
    bySession: new Map(),
    byName: new Map(),
    kept: new Map(),
    leased: new Map(),
    cursor: range.from,
  };
  let durable = copyOf(book);
  let now = 1_800_000_000_000;
  let ids = 0;
  const sessions = new Map<string, ModelSession>();
  /** Ports that sessions were given and have not given back; null: a place without port. */
  const told = new Map<string, number | null>();
  /** Sessions that end behind a partition: their release comes later, maybe twice. */
  const pending: string[] = [];
  const seen = { leased: 0, full: 0, refused: 0, crashed: 0, late: 0, moved: 0, hidden: 0, shown: 0 };

  const commit = (): void => void (durable = copyOf(book));

  function lease(session: string, wanted: number | null, strict: boolean): void {
    const { owner, name, private: hidden } = sessions.get(session) ?? { owner: "", name: "", private: false };
    const holder = { session, owner, name, private: hidden };
    const outcome = leasePort(book, { ...holder, wanted, strict }, range, book.cursor, now);
    if (!outcome.ok) {
      seen[outcome.code === "full" ? "full" : "refused"] += 1;
      return;
    }
    book.cursor = outcome.value.cursor;
    const { port } = outcome.value;
    // Written, but the process dies before anybody hears of it: after the restart either all of it is there or nothing.
    if (random() < 0.01) {
      if (random() < 0.5) commit();
      book = copyOf(durable);
      seen.crashed += 1;
      const kept = portOf(book.bySession.get(session));
      if (kept !== undefined) told.set(session, kept);
      return;
    }
    commit();
    const before = told.get(session);
    if (before === null && port !== null) seen.shown += 1;
    else if (port === null) seen.hidden += 1;
    else if (before !== undefined && before !== port) seen.moved += 1;
    told.set(session, port);
    seen.leased += 1;
  }

  function release(session: string, how: "rest" | "avoid"): void {
    releasePort(book, session, how, range, now);
    commit();
    told.delete(session);
  }

  for (let step = 0; step < steps; step += 1) {
    now += Math.floor(random() * 20_000);
    const dice = random();
    const known = [...sessions.keys()];
    if (dice < 0.35) {
      const id = `s${(ids += 1)}`;
      sessions.set(id, {
        owner: `a_${Math.floor(random() * 3)}`,
        name: `n${Math.floor(random() * 12)}`,
        private: random() < 0.2,
      });
      const wanted = random() < 0.4 ? range.from - 2 + Math.floor(random() * 28) : null;
      lease(id, wanted, wanted !== null && random() < 0.5);
      if (!told.has(id)) sessions.delete(id);
    } else if (dice < 0.5) {
      const id = pick(known);
      const session = id === undefined ? undefined : sessions.get(id);
      if (session && random() < 0.2) session.private = !session.private;
      if (id !== undefined)
        lease(id, random() < 0.3 ? range.from + Math.floor(random() * 24) : null, random() < 0.3);
    } else if (dice < 0.75) {
      const id = pick(known);
      if (id === undefined) continue;
      sessions.delete(id);
      // The release is lost in a partition, and tried again later.
      if (random() < 0.3) pending.push(id);
      else release(id, random() < 0.1 ? "avoid" : "rest");
    } else if (dice < 0.9) {
      const id = pending.shift();
      if (id === undefined) continue;
      release(id, "rest");
      seen.late += 1;
      // Repeated, because its answer was lost too.
      if (random() < 0.5) release(id, "rest");
    } else if (dice < 0.95) {
      book = copyOf(durable);
      seen.crashed += 1;
    } else now += limits.stickyMs;
    check(book, told, step);
  }

  for (const id of [...sessions.keys(), ...pending]) release(id, "rest");
  now += limits.stickyMs;
  const holder = { session: "s-last", owner: "a_9", name: "last" };
  const all = range.to - range.from + 1;
  assert.equal(
    offerPorts(book, holder, range, { among: null, start: book.cursor, count: all }, now).length,
    all,
  );
  assert.equal(book.bySession.size, 0, "no lease is left");
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 50, `${what} happened ${count} times`);
});

/** Every port has one owner who knows it, every lease has an owner, and the books hold nothing beside the range. */
function check(book: Stored, told: ReadonlyMap<string, number | null>, step: number): void {
  const owners = new Map<number, string>();
  for (const [session, port] of told) {
    if (port !== null) {
      assert.equal(owners.get(port), undefined, `step ${step}: port ${port} has two owners`);
      owners.set(port, session);
    }
    assert.equal(
      portOf(book.bySession.get(session)),
      port,
      `step ${step}: the books know another port of ${session}`,
    );
  }
  let leased = 0;
  const byOwner = new Map<string, number>();
  for (const [port, entry] of book.ports) {
    const number = Number(port);
    assert.ok(number >= range.from && number <= range.to, `step ${step}: ${port} is outside the range`);
    if (entry.kind !== "leased") continue;
    leased += 1;
    byOwner.set(entry.owner, (byOwner.get(entry.owner) ?? 0) + 1);
    assert.equal(book.bySession.get(entry.session), number, `step ${step}: nobody can release ${port}`);
    assert.equal(owners.get(number), entry.session, `step ${step}: port ${port} is leased to nobody`);
  }
  if (leased > 0) byOwner.set("all", leased);
  assert.deepEqual(book.leased, byOwner, `step ${step}: how many ports each owner has`);
  const hidden = [...book.bySession.values()].filter((lease) => portOf(lease) === null).length;
  assert.equal(leased + hidden, book.bySession.size, `step ${step}: a lease without its port`);
  const kept = new Map<string, number[]>();
  for (const [port, entry] of book.ports)
    if (entry.kind !== "leased" && entry.owner !== undefined)
      kept.set(entry.owner, [...(kept.get(entry.owner) ?? []), Number(port)]);
  assert.equal(book.kept.size, kept.size, `step ${step}: who keeps ports`);
  const inOrder = (ports: readonly number[] = []): number[] => ports.toSorted((a, b) => a - b);
  for (const [owner, ports] of book.kept) {
    assert.ok(ports.length <= keptAtMost(range), `step ${step}: ${owner} keeps ${ports.length} ports`);
    assert.deepEqual(inOrder(ports), inOrder(kept.get(owner)), `step ${step}: what ${owner} keeps`);
  }
  assert.ok(book.byName.size <= range.to - range.from + 1, `step ${step}: ${book.byName.size} names`);
}
