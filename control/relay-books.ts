import * as z from "zod";
import type { Placement } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { EndedKey, EndedSession } from "../protocol/signals.ts";
import type { Cell, Table } from "./cell.ts";
import { createTable } from "./cell.ts";
import type { LeaseRequest } from "./leases.ts";
import { Lease, PortEntry, leasePort, offerPorts, releasePort } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { ObjectContext } from "./platform.ts";
import type { OfferInput, ReleaseInput } from "./relay-object.ts";
import type { RelayRecord } from "./relays.ts";
import { placementOn } from "./relays.ts";

interface BookDeps {
  readonly ctx: ObjectContext;
  readonly now: () => number;
  readonly random: () => number;
  readonly record: Cell<RelayRecord>;
  /** The relay was heard lately. */
  readonly isHere: (record: RelayRecord) => boolean;
}

/** What a relay's object writes down: who leases which port, and which sessions are over. */
export interface RelayBooks {
  /** By session, what it leases. */
  readonly bySession: Table<Lease>;
  readonly ports: Table<PortEntry>;
  lease(request: LeaseRequest): Outcome<Placement>;
  offer(input: OfferInput): number[];
  release(input: ReleaseInput): void;
  /** Sessions that are over and whose last ticket may still live. */
  endedNow(): EndedSession[];
  forgetEnded(): void;
  /** A key is no more: remembered while the tickets that it asked for may live. */
  endKey(key: string): EndedKey;
  keysEndedNow(): EndedKey[];
}

export function createRelayBooks({ ctx, now, random, record, isHere }: BookDeps): RelayBooks {
  const ended = createTable(ctx.kv, "ended", z.number());
  const endedKeys = createTable(ctx.kv, "ended-key", z.number());
  const ports = createTable(ctx.kv, "port", PortEntry);
  const bySession = createTable(ctx.kv, "session", Lease);
  const byName = createTable(ctx.kv, "name", z.number());
  const kept = createTable(ctx.kv, "kept", z.array(z.number()).readonly());
  const leased = createTable(ctx.kv, "leased", z.number().int());
  const book = { ports, bySession, byName, kept, leased };

  function lease(request: LeaseRequest): Outcome<Placement> {
    const current = record.read();
    if (!current || !isHere(current))
      return refuse("no_relay", "The relay is not connected to the control plane");
    const held = bySession.get(request.session);
    if (current.draining && held === undefined)
      return refuse("draining", "The relay is being drained; it takes no new session");
    const outcome = leasePort(book, request, current.ports, current.cursor, now());
    if (!outcome.ok) return outcome;
    const leases = current.leases + (held === undefined ? 1 : 0);
    record.write({ ...current, cursor: outcome.value.cursor, leases });
    return done(placementOn(current, outcome.value.port));
  }

  function forgetEnded(): void {
    for (const table of [ended, endedKeys])
      for (const [id, until] of table.entries()) if (until * 1_000 <= now()) table.delete(id);
  }

  return {
    bySession,
    ports,
    lease: (request) => ctx.transaction(() => lease(request)),
    offer: ({ among, count, ...holder }) => {
      const current = record.read();
      if (!current || current.draining) return [];
      const { from, to } = current.ports;
      // From anywhere, so that sessions which are placed at the same moment do not want the same ports.
      const start = from + Math.floor(random() * (to - from + 1));
      return offerPorts(book, holder, current.ports, { among, start, count }, now());
    },
    release: ({ session, endedUntil, port }) =>
      ctx.transaction(() => {
        const current = record.read();
        // Without a record there was never a lease.
        if (current && bySession.get(session) !== undefined) {
          record.write({ ...current, leases: current.leases - 1 });
          releasePort(book, session, port, current.ports, now());
        }
        if (endedUntil !== null && endedUntil * 1_000 > now()) ended.set(session, endedUntil);
      }),
    endedNow: () => {
      forgetEnded();
      return [...ended.entries()].map(([session, until]) => ({ session, until }));
    },
    forgetEnded,
    endKey: (key) => {
      const until = Math.floor(now() / 1_000) + limits.ticketSeconds;
      endedKeys.set(key, until);
      return { key, until };
    },
    keysEndedNow: () => {
      forgetEnded();
      return [...endedKeys.entries()].map(([key, until]) => ({ key, until }));
    },
  };
}
