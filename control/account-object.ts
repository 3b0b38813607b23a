import type { CreateSession, PageQuery, Session } from "../protocol/api.ts";
import type { SessionList } from "../protocol/api.ts";
import { AccountId } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { CreateKey, KeyList } from "../protocol/keys.ts";
import { forgetAbandoned } from "./abandoned-reservations.ts";
import { createCell } from "./cell.ts";
import { createEndedKeys } from "./ended-keys.ts";
import type { Grant, SessionGrant } from "./grants.ts";
import { createKeyRing } from "./key-ring.ts";
import type { KeyRecord } from "./keys.ts";
import { chooseName } from "./names.ts";
import type { Outcome } from "./outcome.ts";
import { refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";
import { createSessionIndex } from "./session-index.ts";
import type { Reservation } from "./session-index.ts";

interface ReserveInput {
  readonly owner: string;
  readonly request: Pick<CreateSession, "name" | "suggestedName">;
  /** The key that asks. */
  readonly by: SessionGrant;
}

interface ReportInput {
  readonly session: Session;
  readonly revision: number;
  /** Ids of the keys with which the session was made and its agent attached. */
  readonly keys: readonly string[];
}

/** What the account makes of a report: otherwise the session has to end. */
type Verdict = "kept" | "name_taken" | "key_ended";

/** One account: its keys, its quota, and the index of its sessions. */
export interface AccountVerbs {
  /** The id and name under which a session is to be opened; the same name gives the same id while that session lives. */
  reserve(input: ReserveInput): Promise<Outcome<Reservation>>;
  /** A session object tells how its session is. */
  report(input: ReportInput): Verdict;
  /** The session is over, or never came to be. */
  forget(id: string): void;
  /** The id of the session with this name. */
  find(name: string): string | null;
  list(query: PageQuery): SessionList;
  /** What the key opens whose token has this SHA-256 (hexadecimal), or null. */
  checkKey(hash: string): Grant | null;
  /** Whether what was opened with this key may go on. */
  isValidKey(id: string): boolean;
  addKey(input: {
    readonly account: string;
    readonly hash: string;
    readonly request: CreateKey;
  }): Outcome<KeyRecord>;
  listKeys(input: { readonly account: string; readonly page: PageQuery }): KeyList;
  /** Ends a key now, and within a minute what was opened with it. False: there is none. */
  revokeKey(id: string): boolean;
}

/** Stands in a suggestion's place when the agent makes none. */
const defaultName = "session";
/** What could not be ended is tried again after this time. */
const retryMs = 10_000;

/** The object of one account. */
export function createAccountObject(ctx: ObjectContext, services: Services): DurableModule<AccountVerbs> {
  const { now } = services;
  const index = createSessionIndex(ctx, now);
  const keys = createKeyRing(ctx, now);
  const ended = createEndedKeys(ctx, services);
  const ownId = createCell(ctx.kv, "account", AccountId);
  /** The alarm will look at reservations; lost with the object's memory, and then set once more. */
  let watching = false;

  /** Sets the alarm to what comes next, or to `afterMs` from now when something has to be done. */
  function schedule(afterMs: number): void {
    const isDue = !ended.isEmpty() || index.unheard().length > 0;
    const times = isDue ? [now() + afterMs] : [keys.nextExpiry(), index.nextUnheard()];
    const next = Math.min(...times.map((at) => at ?? Infinity));
    ctx.setAlarm(next < Infinity ? next : null);
  }

  /** Reserves a name. Whoever is killed before the session is opened leaves a reservation that nobody takes back. */
  function reserve(owner: string, name: string): Outcome<Reservation> {
    const reserved = index.reserve(name);
    if (reserved.ok && !watching) {
      watching = true;
      if (ownId.read() === undefined) ownId.write(owner);
      schedule(0);
    }
    return reserved;
  }

  /**
   * Reserves a name that is free, or whose agent is away and whose session this key may take up. What the index calls
   * live may be long gone (a host that was killed reports nothing), so the session object is asked.
   */
  async function reserveLike(
    owner: string,
    suggested: string,
    by: SessionGrant,
  ): Promise<Outcome<Reservation>> {
    const taken = new Set<string>();
    for (;;) {
      const name = chooseName(suggested, (one) => taken.has(one) || index.isReserved(one));
      if (name === undefined)
        return refuse("name_taken", `All names like ${suggested} are in use; choose one with --name`);
      const id = index.find(name);
      if (id === undefined) return reserve(owner, name);
      if (await services.env.SESSIONS.getByName(sessionObjectName(owner, id)).isTaken(by)) taken.add(name);
      // Of those who asked at the same moment the first one has it.
      else if (!index.isReserved(name)) return reserve(owner, name);
    }
  }

  return {
    verbs: {
      reserve: async ({ owner, request, by }) => {
        if (request.name !== undefined) return reserve(owner, request.name);
        return await reserveLike(owner, request.suggestedName ?? defaultName, by);
      },
      report: ({ session, revision, keys: used }) => {
        if (!used.every((key) => keys.isValid(key))) return "key_ended";
        return index.report(session, revision, used) ? "kept" : "name_taken";
      },
      forget: (id) => index.forget(id),
      find: (name) => index.find(name) ?? null,
      list: (query) => index.list(query),
      checkKey: (hash) => keys.check(hash) ?? null,
      isValidKey: (id) => keys.isValid(id),
      addKey: ({ account, hash, request }) => {
        ownId.write(account);
        if (ended.recent() >= limits.keysEnded)
          return refuse(
            "quota",
            "Too many keys of the account have ended lately; try again in an hour and a half",
          );
        const added = keys.add(hash, request);
        schedule(0);
        return added;
      },
      listKeys: ({ account, page }) => keys.list(account, page),
      revokeKey: (id) =>
        ctx.transaction(() => {
          if (keys.remove(id) === undefined) return false;
          ended.add(id, index.openedWith(id));
          schedule(0);
          return true;
        }),
    },
    alarm: async () => {
      watching = false;
      const account = ownId.read();
      if (account === undefined) return;
      for (const id of keys.removeExpired()) ended.add(id, index.openedWith(id));
      const failures = (await ended.continue(account)) + (await forgetAbandoned(services, index, account));
      schedule(failures > 0 ? retryMs : 0);
    },
  };
}
