import type { CreateSession as CreateSessionBody } from "../protocol/api.ts";
import { CreateSession, PageQuery, Session, SessionList, UpdateSession } from "../protocol/api.ts";
import { ClientTickets, DirectAnswer, DirectOffer, RequestTickets } from "../protocol/connect.ts";
import type { Caller } from "./auth.ts";
import { findSession, noSession } from "./find-session.ts";
import { checkName, sessionGrant } from "./grants.ts";
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
      access: "expose",
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
      access: "session",
      summary: "Shows one session, by id or by name.",
      answers: { 200: Session },
      handle: async ({ caller, param }) => {
        const found = await findSession(services, caller, param("idOrName"), "either");
        const session = await found.view(null);
        if (!session) throw noSession(param("idOrName"));
        return Response.json(session);
      },
    }),
    defineRoute({
      method: "PATCH",
      path,
      access: "expose",
      summary: "Changes who may use a session and how much of it; live listeners obey at once.",
      body: UpdateSession,
      answers: { 200: Session },
      handle: async ({ caller, param, body }) => {
        const session = await findSession(services, caller, param("idOrName"), "agent");
        const changed = await session.update(body);
        if (changed === null) throw noSession(param("idOrName"));
        return Response.json(unwrap(changed));
      },
    }),
    defineRoute({
      method: "POST",
      path: `${path}/tickets`,
      access: "connect",
      summary: "Gives a client tickets for the relays of a session, with or without public port.",
      body: RequestTickets,
      answers: { 200: ClientTickets },
      handle: async ({ caller, param, body }) => {
        const session = await findSession(services, caller, param("idOrName"), "client");
        const tickets = await session.tickets({ ...body, key: caller.key });
        if (tickets === null) throw noSession(param("idOrName"));
        return Response.json(unwrap(tickets));
      },
    }),
    defineRoute({
      method: "POST",
      path: `${path}/direct`,
      access: "connect",
      summary: "Offers a session's agent to meet without relay; held until the agent answers.",
      body: DirectOffer,
      answers: { 200: DirectAnswer },
      handle: async ({ caller, param, body }) => {
        const session = await findSession(services, caller, param("idOrName"), "client");
        const answer = await session.direct(body);
        if (answer === null) throw noSession(param("idOrName"));
        return Response.json(unwrap(answer));
      },
    }),
    defineRoute({
      method: "DELETE",
      path,
      access: "expose",
      summary: "Ends a session: its agent stops, its port is freed.",
      answers: { 204: null },
      handle: async ({ caller, param }) => {
        const session = await findSession(services, caller, param("idOrName"), "agent");
        const ended = await session.end("its owner ended it");
        if (!ended) throw noSession(param("idOrName"));
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

async function openSession(
  services: Services,
  caller: Caller,
  request: CreateSessionBody,
): Promise<Outcome<{ session: Session; created: boolean }>> {
  const owner = caller.account;
  const by = sessionGrant(caller);
  checkName(by, request.name);
  const account = services.env.ACCOUNTS.getByName(owner);
  let outcome: Outcome<{ session: Session; created: boolean }> = refuse(
    "ended",
    "The session has just ended; try again",
  );
  for (let attempt = 0; attempt < openTries; attempt += 1) {
    const reserved = await account.reserve({ owner, request, by });
    if (!reserved.ok) return reserved;
    const { id, name } = reserved.value;
    const session = services.env.SESSIONS.getByName(sessionObjectName(owner, id));
    outcome = await session.open({ id, owner, name, by, request });
    if (outcome.ok || outcome.code !== "ended") return outcome;
    await account.forget(id);
  }
  return outcome;
}
