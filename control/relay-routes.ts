import type { Hono } from "hono";
import type { RelayList } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { adminAccount, authenticate } from "./auth.ts";
import { listRelays } from "./fleet.ts";
import type { Services } from "./services.ts";

/** The operator's view of the fleet. */
export function addRelayRoutes(app: Hono, services: Services): void {
  app.get("/v1/relays", async (c) => {
    const account = await authenticate(services.env, c.req.header("authorization"));
    if (account !== adminAccount)
      throw new RdvError("forbidden", "Only the administrator's token may see the relays");
    return c.json({ relays: await listRelays(services) } satisfies RelayList);
  });
}
