import type { Context, Hono } from "hono";
import { RelayId, SessionId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { adminAccount, authenticate } from "./auth.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** The two WebSocket routes: the object that a socket belongs to accepts it itself. */
export function addSocketRoutes(app: Hono, { env, signer }: Services): void {
  const enter = async (c: Context): Promise<string> => {
    signer.jwks();
    const account = await authenticate(env, c.req.header("authorization"));
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket")
      throw new RdvError("upgrade_required", "This address is a WebSocket: send Upgrade: websocket");
    return account;
  };
  app.get("/v1/sessions/:id/agent", async (c) => {
    const owner = await enter(c);
    const id = SessionId.safeParse(c.req.param("id"));
    if (!id.success) throw new RdvError("not_found", "There is no such session");
    return await env.SESSIONS.getByName(sessionObjectName(owner, id.data)).fetch(c.req.raw);
  });
  app.get("/v1/relays/:id/link", async (c) => {
    if ((await enter(c)) !== adminAccount)
      throw new RdvError("forbidden", "Only the administrator's token may add relays");
    const id = RelayId.safeParse(c.req.param("id"));
    if (!id.success) throw new RdvError("bad_request", "A relay id is r_ and 8 to 40 characters a-z, 0-9");
    return await env.RELAYS.getByName(id.data).fetch(c.req.raw);
  });
}
