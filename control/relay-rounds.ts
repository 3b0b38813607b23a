import * as z from "zod";
import { createCell } from "./cell.ts";
import type { Table } from "./cell.ts";
import { countOthers } from "./fleet.ts";
import { isRawLease, portOf, sessionOfRaw } from "./leases.ts";
import type { Lease, PortEntry } from "./leases.ts";
import type { ObjectContext } from "./platform.ts";
import type { RelayRecord } from "./relays.ts";
import { placementOn } from "./relays.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** What a relay's sessions are told: the relay is back; it is lost; it is to be left. */
const RoundKind = z.enum(["back", "lost", "drain"]);
export type RoundKind = z.infer<typeof RoundKind>;

/** Tells all sessions of a relay something, some at a time, across alarms and restarts. */
export interface RelayRounds {
  /** Begins a round; one that is under way is given up. */
  start(kind: RoundKind): void;
  /** Tells the next batch when its time has come; the time of the following one, or null when nothing is left. */
  continue(relay: RelayRecord): Promise<number | null>;
}

/**
 * Sessions told in one alarm, and the time to the next. Sessions that move ask other objects for a place, each once or
 * twice: 200 a second in all, so that 1,000 have moved in 5 s, and the two or more relays that take them see 100 each.
 */
const pace = { back: { batch: 200, everyMs: 0 }, move: { batch: 50, everyMs: 250 } };
/** Calls at once: within the platform's bounds. */
const atOnce = 25;
/** A draining relay that still has sessions asks them again after this time. */
const drainAgainMs = 30_000;
/** Agents spread their dials so that a relay meets about this many a second, and never more slowly than in 30 s. */
const dialsPerSecond = 500;
const longestSpreadMs = 30_000;

/** `number` tells a round from the one that it takes the place of. */
const Round = z.object({
  number: z.number().int().default(0),
  kind: RoundKind,
  after: z.string(),
  nextAt: z.number(),
});

interface RoundDeps {
  readonly ctx: ObjectContext;
  readonly services: Services;
  readonly bySession: Table<Lease>;
  readonly ports: Table<PortEntry>;
  /** The session is over or elsewhere: its lease is a leftover. */
  readonly drop: (session: string) => void;
}

export function createRelayRounds({ ctx, services, bySession, ports, drop }: RoundDeps): RelayRounds {
  const round = createCell(ctx.kv, "round", Round);

  /** The owner of a session with this lease; undefined when its port is not its own. */
  function ownerOf(session: string, lease: Lease): string | undefined {
    if (typeof lease === "object") return lease.owner;
    const entry = ports.get(String(lease));
    return entry?.kind === "leased" && entry.session === session ? entry.owner : undefined;
  }

  async function tell(kind: RoundKind, relay: RelayRecord, session: string, lease: Lease): Promise<void> {
    const owner = ownerOf(session, lease);
    if (owner === undefined) return drop(session);
    const port = portOf(lease) ?? null;
    if (isRawLease(session)) {
      const holder = services.env.SESSIONS.getByName(sessionObjectName(owner, sessionOfRaw(session)));
      return port !== null && (await holder.hasRaw(port)) ? undefined : drop(session);
    }
    const object = services.env.SESSIONS.getByName(sessionObjectName(owner, session));
    const placement = placementOn(relay, port);
    const belongs =
      kind === "back"
        ? await object.relayBack({ placement, withinMs: spreadMs(relay.leases) })
        : kind === "lost"
          ? await object.relayLost({ relay: relay.id })
          : await object.relayDrains({ relay: relay.id });
    if (!belongs) drop(session);
  }

  function begin(kind: RoundKind, nextAt: number): void {
    round.write({ number: (round.read()?.number ?? 0) + 1, kind, after: "", nextAt });
  }

  function finish(kind: RoundKind, relay: RelayRecord): number | null {
    if (!relay.draining || relay.leases === 0) {
      round.clear();
      return null;
    }
    const nextAt = services.now() + (kind === "drain" ? drainAgainMs : 0);
    begin("drain", nextAt);
    return nextAt;
  }

  return {
    start: (kind) => {
      begin(kind, services.now());
      ctx.setAlarm(services.now());
    },
    continue: async (relay) => {
      const mine = round.read();
      if (!mine || mine.nextAt > services.now()) return mine?.nextAt ?? null;
      const { number, kind, after } = mine;
      const isAlone = kind === "drain" && after === "" && (await countOthers(services, relay.id)) === 0;
      const { batch, everyMs } = kind === "back" ? pace.back : pace.move;
      const told = isAlone ? [] : [...bySession.entries({ startAfter: after, limit: batch })];
      for (let first = 0; first < told.length; first += atOnce)
        await Promise.allSettled(
          told.slice(first, first + atOnce).map(([session, lease]) => tell(kind, relay, session, lease)),
        );
      const now = round.read();
      // Another round may have begun meanwhile.
      if (now?.number !== number) return now?.nextAt ?? null;
      const last = told.at(-1);
      if (told.length < batch || !last) return finish(kind, relay);
      const nextAt = mine.nextAt + everyMs;
      round.write({ number, kind, after: last[0], nextAt });
      return nextAt;
    },
  };
}

function spreadMs(leases: number): number {
  return Math.min(longestSpreadMs, Math.max(1_000, Math.ceil(leases / dialsPerSecond) * 1_000));
}
