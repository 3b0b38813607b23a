import * as z from "zod";
import type { PageQuery, SessionList } from "../protocol/api.ts";
import { Session, SessionId, SessionName } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import { createCell, createTable } from "./cell.ts";
import { newSessionId } from "./identifiers.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { ObjectContext } from "./platform.ts";

/** `session` is null from the reservation of its name to the first report of its object. */
const Entry = z.object({
  id: SessionId,
  name: SessionName,
  revision: z.number().int(),
  session: Session.nullable(),
  /** Ids of the keys with which it was made and its agent attached. */
  keys: z.array(z.string()).readonly().default([]),
});

export interface Reservation {
  readonly id: string;
  readonly name: string;
}

/** The sessions of one account, by id and by name. Every verb is atomic. */
export interface SessionIndex {
  /** The id that belongs to a name; a free name gets a new id, within the quota. Its session has to report soon. */
  reserve(name: string): Outcome<Reservation>;
  /** Whether somebody has just reserved the name, and its session has not reported since. */
  isReserved(name: string): boolean;
  /** Ids that were reserved at least `reservedMs` ago, and whose sessions have said nothing since. */
  unheard(): string[];
  /** The session behind a reservation is there, and will report by itself. */
  settle(id: string): void;
  /** When the next reservation has to be looked at, in milliseconds since 1970; undefined when there is none. */
  nextUnheard(): number | undefined;
  /** Takes a session's newest state; older words are ignored. False when its name belongs to another session. */
  report(session: Session, revision: number, keys: readonly string[]): boolean;
  forget(id: string): void;
  find(name: string): string | undefined;
  get(id: string): Session | undefined;
  /** One page, in the order of ids. */
  list(query: PageQuery): SessionList;
  /** Ids of the sessions that live by this key. */
  openedWith(key: string): string[];
}

/** A session reports within seconds of its reservation, or its host was killed in between. */
const reservedMs = 60_000;

/** The index in an account object's storage; `now` is in milliseconds since 1970. */
export function createSessionIndex(ctx: ObjectContext, now: () => number): SessionIndex {
  const sessions = createTable(ctx.kv, "session", Entry);
  const names = createTable(ctx.kv, "name", SessionId);
  /** By id, when it was reserved. */
  const reserved = createTable(ctx.kv, "reserved", z.number());
  const count = createCell(ctx.kv, "count", z.number().int());

  function put(entry: z.infer<typeof Entry>): void {
    if (!sessions.get(entry.id)) count.write((count.read() ?? 0) + 1);
    sessions.set(entry.id, entry);
    names.set(entry.name, entry.id);
  }

  return {
    reserve: (name) =>
      ctx.transaction(() => {
        const id = names.get(name);
        if (id !== undefined) {
          reserved.set(id, now());
          return done({ id, name });
        }
        if ((count.read() ?? 0) >= limits.sessionsPerAccount) return refuse("quota", quotaDetail);
        const reservation = { id: newSessionId(), name };
        put({ ...reservation, revision: 0, session: null, keys: [] });
        reserved.set(reservation.id, now());
        return done(reservation);
      }),
    isReserved: (name) => {
      const id = names.get(name);
      const at = id === undefined ? undefined : reserved.get(id);
      return at !== undefined && at + limits.requestMs > now();
    },
    unheard: () => [...reserved.entries()].filter(([, at]) => at + reservedMs <= now()).map(([id]) => id),
    settle: (id) => reserved.delete(id),
    nextUnheard: () => {
      const times = [...reserved.entries()].map(([, at]) => at + reservedMs);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    report: (session, revision, keys) =>
      ctx.transaction(() => {
        const { id, name } = session;
        if ((names.get(name) ?? id) !== id) return false;
        reserved.delete(id);
        if ((sessions.get(id)?.revision ?? 0) <= revision) put({ id, name, revision, session, keys });
        return true;
      }),
    forget: (id) =>
      ctx.transaction(() => {
        const entry = sessions.get(id);
        if (!entry) return;
        reserved.delete(id);
        if (names.get(entry.name) === id) names.delete(entry.name);
        sessions.delete(id);
        count.write((count.read() ?? 1) - 1);
      }),
    find: (name) => names.get(name),
    get: (id) => sessions.get(id)?.session ?? undefined,
    list: ({ cursor, limit }) => {
      const page = { limit: limit + 1, ...(cursor === undefined ? {} : { startAfter: cursor }) };
      const entries = [...sessions.entries(page)].map(([, entry]) => entry);
      const shown = entries.slice(0, limit);
      const next = entries.length > limit ? shown.at(-1)?.id : undefined;
      return {
        sessions: shown.flatMap(({ session }) => session ?? []),
        ...(next === undefined ? {} : { next }),
      };
    },
    openedWith: (key) =>
      [...sessions.entries()].filter(([, { keys }]) => keys.includes(key)).map(([id]) => id),
  };
}

const quotaDetail = `The account has ${limits.sessionsPerAccount} sessions; end some with rdv sessions rm`;
