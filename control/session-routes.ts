import type { CreateSession as CreateSessionBody } from "../protocol/api.ts";
import { CreateSession, PageQuery, Session, SessionId, SessionList, SessionName } from "../protocol/api.ts";
import { UpdateSession } from "../protocol/api.ts";
import { ClientTickets, DirectAnswer, DirectOffer, RequestTickets } from "../protocol/connect.ts";
import { RdvError } from "../protocol/errors.ts";
import type { Caller } from "./auth.ts";
import type { Outcome } from "./outcome.ts";
import { refuse, unwrap } from "./outcome.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** A session that ends while it is opened is opened anew, this often. */
const openTries = 3;

/** Create, list, read, change and end sessions; everything is looked up inside the token's account. */
export function sessionRoutes(services: Services): Route[] {
  const { env } = services;
  const path = "/v1/sessions/:idOrName";
  return [
    defineRoute({
      method: "POST",
      path: "/v1/sessions",
      access: "sessions",
      summary: "Creates a session (201), or takes up the one that has this name (200).",
      body: CreateSession,
      answers: { 200: Session, 201: Session },
      handle: async ({ caller, body }) => {
        const { session, created } = unwrap(await openSession(services, caller, body));
        const headers = { location: `/v1/sessions/${session.id}` };
        return Response.json(session, { status: created ? 201 : 200, headers });
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/sessions",
      access: "sessions",
      summary: "Lists the account's sessions.",
      query: PageQuery,
      answers: { 200: SessionList },
      handle: async ({ caller, query }) =>
        Response.json(await env.ACCOUNTS.getByName(caller.account).list(query)),
    }),
    defineRoute({
      method: "GET",
      path,
      access: "sessions",
      summary: "Shows one session, by id or by name.",
      answers: { 200: Session },
      handle: async ({ caller: { account }, param }) => {
        const id = await findSession(services, account, param("idOrName"));
        const session = await sessionOf(services, account, id).view(null);
        if (!session) throw notFound(param("idOrName"));
        return Response.json(session);
      },
    }),
    defineRoute({
      method: "PATCH",
      path,
      access: "sessions",
      summary: "Changes who may use a session and how much of it; live listeners obey at once.",
      body: UpdateSession,
      answers: { 200: Session },
      handle: async ({ caller: { account }, param, body }) => {
        const id = await findSession(services, account, param("idOrName"));
        const changed = await sessionOf(services, account, id).update(body);
        if (changed === null) throw notFound(param("idOrName"));
        return Response.json(unwrap(changed));
      },
    }),
    defineRoute({
      method: "POST",
      path: `${path}/tickets`,
      access: "sessions",
      summary: "Gives a client tickets for the relays of a session, with or without public port.",
      body: RequestTickets,
      answers: { 200: ClientTickets },
      handle: async ({ caller: { account }, param, body }) => {
        const id = await findSession(services, account, param("idOrName"));
        const tickets = await sessionOf(services, account, id).tickets(body);
        if (tickets === null) throw notFound(param("idOrName"));
        return Response.json(unwrap(tickets));
      },
    }),
    defineRoute({
      method: "POST",
      path: `${path}/direct`,
      access: "sessions",
      summary: "Offers a session's agent to meet without relay; held until the agent answers.",
      body: DirectOffer,
      answers: { 200: DirectAnswer },
      handle: async ({ caller: { account }, param, body }) => {
        const id = await findSession(services, account, param("idOrName"));
        const answer = await sessionOf(services, account, id).direct(body);
        if (answer === null) throw notFound(param("idOrName"));
        return Response.json(unwrap(answer));
      },
    }),
    defineRoute({
      method: "DELETE",
      path,
      access: "sessions",
      summary: "Ends a session: its agent stops, its port is freed.",
      answers: { 204: null },
      handle: async ({ caller: { account }, param }) => {
        const id = await findSession(services, account, param("idOrName"));
        const ended = await sessionOf(services, account, id).end("its owner ended it");
        if (!ended) throw notFound(param("idOrName"));
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

async function openSession(
  services: Services,
  { account: owner, key }: Caller,
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
    outcome = await sessionOf(services, owner, id).open({ id, owner, name, key, request });
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
