import * as z from "zod";
import { limits } from "../protocol/limits.ts";
import { createTable } from "./cell.ts";
import { listRelays } from "./fleet.ts";
import type { ObjectContext } from "./platform.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** What was opened with keys that are no more, until it has ended. */
export interface EndedKeys {
  /** Remembers what has to end. */
  add(key: string, sessions: readonly string[]): void;
  /** How many ended so lately that relays have to remember them. */
  recent(): number;
  isEmpty(): boolean;
  /** Ends some of it, and gives the number of failures. */
  continue(account: string): Promise<number>;
}

/** Objects that are told in one go: the platform bounds the calls of one event. */
const told = 500;

/** The memory of an account object's ended keys. */
export function createEndedKeys(ctx: ObjectContext, { env, ...services }: Services): EndedKeys {
  const sessions = createTable(ctx.kv, "ending-session", z.string());
  const links = createTable(ctx.kv, "ending-links", z.boolean());
  const remembered = createTable(ctx.kv, "ended-key", z.number());

  async function endSession(account: string, session: string, key: string): Promise<void> {
    await env.SESSIONS.getByName(sessionObjectName(account, session)).keyEnded(key);
    // Meanwhile it may have come to live by another key, which was revoked, too.
    if (sessions.get(session) === key) sessions.delete(session);
  }

  /** Any relay may have come with the key, or may have clients with its tickets, so all are told. */
  async function endAtRelays(key: string): Promise<void> {
    const relays = await listRelays({ env, ...services });
    for (let first = 0; first < relays.length; first += told)
      await Promise.all(
        relays.slice(first, first + told).map(async ({ id }) => await env.RELAYS.getByName(id).keyEnded(key)),
      );
    links.delete(key);
  }

  return {
    add: (key, ids) => {
      for (const id of ids) sessions.set(id, key);
      links.set(key, true);
      remembered.set(key, services.now() + limits.ticketSeconds * 1_000);
    },
    recent: () => {
      const all = [...remembered.entries()];
      const over = all.filter(([, until]) => until <= services.now());
      for (const [key] of over) remembered.delete(key);
      return all.length - over.length;
    },
    isEmpty: () => [...sessions.entries({ limit: 1 }), ...links.entries({ limit: 1 })].length === 0,
    continue: async (account) => {
      const work = [...sessions.entries({ limit: told })].map(
        async ([session, key]) => await endSession(account, session, key),
      );
      for (const [key] of links.entries({ limit: told })) work.push(endAtRelays(key));
      const results = await Promise.allSettled(work);
      return results.filter(({ status }) => status === "rejected").length;
    },
  };
}
