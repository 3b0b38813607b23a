import type { Hono } from "hono";
import type { CreateSession as CreateSessionBody, Session, SessionList } from "../protocol/api.ts";
import { CreateSession, SessionId, SessionName } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { authenticate } from "./auth.ts";
import { readJson } from "./body.ts";
import type { Outcome } from "./outcome.ts";
import { refuse, unwrap } from "./outcome.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** A session that ends while it is opened is opened anew, this often. */
const openTries = 3;

/** Create, list, read and end sessions; everything is looked up inside the token's account. */
export function addSessionRoutes(app: Hono, services: Services): void {
  const { env } = services;
  const accountOf = async (authorization: string | undefined): Promise<string> =>
    await authenticate(env, authorization);

  app.post("/v1/sessions", async (c) => {
    const owner = await accountOf(c.req.header("authorization"));
    const request = await readJson(c.req.raw, CreateSession);
    const { session, created } = unwrap(await openSession(services, owner, request));
    return c.json(session, created ? 201 : 200, { location: `/v1/sessions/${session.id}` });
  });
  app.get("/v1/sessions", async (c) => {
    const owner = await accountOf(c.req.header("authorization"));
    return c.json({ sessions: await env.ACCOUNTS.getByName(owner).list() } satisfies SessionList);
  });
  app.get("/v1/sessions/:idOrName", async (c) => {
    const owner = await accountOf(c.req.header("authorization"));
    const wanted = c.req.param("idOrName");
    const session = await sessionOf(services, owner, await findSession(services, owner, wanted)).view(null);
    if (!session) throw notFound(wanted);
    return c.json(session);
  });
  app.delete("/v1/sessions/:idOrName", async (c) => {
    const owner = await accountOf(c.req.header("authorization"));
    const wanted = c.req.param("idOrName");
    const ended = await sessionOf(services, owner, await findSession(services, owner, wanted)).end(
      "its owner ended it",
    );
    if (!ended) throw notFound(wanted);
    return c.body(null, 204);
  });
}

async function openSession(
  services: Services,
  owner: string,
  request: CreateSessionBody,
): Promise<Outcome<{ session: Session; created: boolean }>> {
  const account = services.env.ACCOUNTS.getByName(owner);
  let outcome: Outcome<{ session: Session; created: boolean }> = refuse(
    "ended",
    "The session has just ended; try again",
  );
  for (let attempt = 0; attempt < openTries; attempt += 1) {
    const reserved = await account.reserve({ owner, request });
    if (!reserved.ok) return reserved;
    const { id, name } = reserved.value;
    outcome = await sessionOf(services, owner, id).open({ id, owner, name, request });
    if (outcome.ok || outcome.code !== "ended") return outcome;
    await account.forget(id);
  }
  return outcome;
}

/** The id behind an id or a name. Names have no underscore, so the two cannot be confused. */
async function findSession({ env }: Services, owner: string, idOrName: string): Promise<string> {
  if (SessionId.safeParse(idOrName).success) return idOrName;
  const name = SessionName.safeParse(idOrName);
  const id = name.success ? await env.ACCOUNTS.getByName(owner).find(name.data) : null;
  if (id === null) throw notFound(idOrName);
  return id;
}

function sessionOf(
  { env }: Services,
  owner: string,
  id: string,
): ReturnType<Services["env"]["SESSIONS"]["getByName"]> {
  return env.SESSIONS.getByName(sessionObjectName(owner, id));
}

function notFound(idOrName: string): RdvError {
  return new RdvError(
    "not_found",
    `There is no session ${JSON.stringify(idOrName.slice(0, 80))}; rdv sessions lists yours`,
  );
}
