import { AgentAttach, RelayId, SessionId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { findSession, noSession } from "./find-session.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** The WebSocket routes: the object that a socket belongs to accepts it itself. */
export function socketRoutes(services: Services): Route[] {
  const { env } = services;
  return [
    defineRoute({
      method: "GET",
      path: "/v1/sessions/:id/agent",
      access: "expose",
      summary: "The control connection of a session's agent, a WebSocket; the newest one rules.",
      query: AgentAttach,
      answers: { 101: null },
      handle: async ({ request, param, caller }) => {
        checkUpgrade(request);
        const id = SessionId.safeParse(param("id"));
        if (!id.success) throw noSession(param("id"));
        return await (await findSession(services, caller, id.data, "agent")).fetch(request);
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/sessions/:id/watch",
      access: "sessions",
      summary: "What becomes of an invitation, a WebSocket: who joined, whether they are there, its end.",
      answers: { 101: null },
      handle: async ({ request, param, caller }) => {
        checkUpgrade(request);
        const id = SessionId.safeParse(param("id"));
        const session = id.success && env.SESSIONS.getByName(sessionObjectName(caller.account, id.data));
        const key = session && (await session.invitation(null));
        if (!key) throw new RdvError("not_found", "There is no such invitation");
        return await env.INVITATIONS.getByName(key).fetch(request);
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/relays/:id/link",
      access: "relays",
      summary: "The control connection of a relay, a WebSocket; the relay chooses its id.",
      answers: { 101: null },
      handle: async ({ request, param, caller }) => {
        checkUpgrade(request);
        const id = RelayId.safeParse(param("id"));
        if (!id.success)
          throw new RdvError("bad_request", "A relay id is r_ and 8 to 40 characters a-z, 0-9");
        if (caller.relay !== null && caller.relay !== id.data)
          throw new RdvError("forbidden", `This key is for the relay ${caller.relay}, not for ${id.data}`);
        return await env.RELAYS.getByName(id.data).fetch(request);
      },
    }),
  ];
}

function checkUpgrade(request: Request): void {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
    throw new RdvError("upgrade_required", "This address is a WebSocket: send Upgrade: websocket");
}
