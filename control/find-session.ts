import { SessionId, SessionName } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import type { Caller } from "./auth.ts";
import { mayReach, mayServe, rulesAll } from "./grants.ts";
import type { Remote } from "./platform.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";
import type { SessionVerbs } from "./session-object.ts";

/** As what a caller comes to a session. */
export type Part = "agent" | "client" | "either";

/**
 * The session behind an id or a name in the caller's account. Throws `not_found`, also for a session that the caller's
 * key is not for: who may not use it does not learn whether it is there.
 */
export async function findSession(
  { env }: Services,
  caller: Caller,
  idOrName: string,
  part: Part,
): Promise<Remote<SessionVerbs>> {
  const { account } = caller;
  // Names have no underscore, so the two cannot be confused.
  const id = SessionId.safeParse(idOrName).success ? idOrName : await idOf(env, account, idOrName);
  if (id === null) throw noSession(idOrName);
  const session = env.SESSIONS.getByName(sessionObjectName(account, id));
  if (rulesAll(caller)) return session;
  const held = await session.held(null);
  const serves = held !== null && part !== "client" && mayServe(caller, held);
  const reaches = held !== null && part !== "agent" && mayReach(caller, held);
  if (!serves && !reaches) throw noSession(idOrName);
  return session;
}

async function idOf(env: Services["env"], account: string, text: string): Promise<string | null> {
  const name = SessionName.safeParse(text);
  return name.success ? await env.ACCOUNTS.getByName(account).find(name.data) : null;
}

/** The answer about a session that is not there, as far as the caller is concerned. */
export function noSession(idOrName: string): RdvError {
  return new RdvError(
    "not_found",
    `There is no session ${JSON.stringify(idOrName.slice(0, 80))} for this key; rdv sessions lists yours`,
  );
}
