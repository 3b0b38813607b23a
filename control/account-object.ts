import * as z from "zod";
import type { CreateSession, Session } from "../protocol/api.ts";
import { createSessionIndex } from "./session-index.ts";
import type { Reservation, SessionIndex } from "./session-index.ts";
import { createTable } from "./cell.ts";
import { chooseName } from "./names.ts";
import type { Outcome } from "./outcome.ts";
import { refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

interface ReserveInput {
  readonly owner: string;
  readonly request: Pick<CreateSession, "name" | "suggestedName">;
}

/** One account: its keys, its quota, and the index of its sessions. */
export interface AccountVerbs {
  /** The id and name under which a session is to be opened; the same name gives the same id while that session lives. */
  reserve(input: ReserveInput): Promise<Outcome<Reservation>>;
  /** A session object tells how its session is. False: the name belongs to another session by now. */
  report(input: { readonly session: Session; readonly revision: number }): boolean;
  /** The session is over, or never came to be. */
  forget(id: string): void;
  /** The id of the session with this name. */
  find(name: string): string | null;
  list(): Session[];
  /** Whether a token with this SHA-256 (hexadecimal) is a key of the account. */
  hasKey(hash: string): boolean;
  /** Lets tokens with this SHA-256 in. */
  addKey(hash: string): void;
}

/** Stands in a suggestion's place when the agent makes none. */
const defaultName = "session";

/** The object of one account. */
export function createAccountObject(ctx: ObjectContext, services: Services): DurableModule<AccountVerbs> {
  const index = createSessionIndex(ctx);
  const keys = createTable(ctx.kv, "key", z.object({ createdAt: z.number() }));
  return {
    verbs: {
      reserve: async ({ owner, request }) => {
        const suggested = request.suggestedName ?? defaultName;
        const name = request.name ?? (await freeName(services, index, owner, suggested));
        if (name === undefined)
          return refuse("name_taken", `All names like ${suggested} are in use; choose one with --name`);
        return index.reserve(name);
      },
      report: ({ session, revision }) => index.report(session, revision),
      forget: (id) => index.forget(id),
      find: (name) => index.find(name) ?? null,
      list: () => index.list(),
      hasKey: (hash) => keys.get(hash) !== undefined,
      addKey: (hash) => keys.set(hash, { createdAt: services.now() }),
    },
  };
}

/**
 * A name whose agent is away. What the index calls live may be long gone (a host that was killed reports
 * nothing), so the session object is asked; only names that it confirms are skipped.
 */
async function freeName(
  { env }: Services,
  index: SessionIndex,
  owner: string,
  suggested: string,
): Promise<string | undefined> {
  const confirmed = new Set<string>();
  for (;;) {
    const name = chooseName(suggested, (candidate) => confirmed.has(candidate));
    if (name === undefined) return undefined;
    const id = index.find(name);
    if (id === undefined || index.get(id)?.state !== "live") return name;
    if (!(await env.SESSIONS.getByName(sessionObjectName(owner, id)).isLive(null))) return name;
    confirmed.add(name);
  }
}
