import { invitationRoutes } from "./invitation-routes.ts";
import { keyRoutes } from "./key-routes.ts";
import { metricsRoutes } from "./metrics-routes.ts";
import { relayRoutes } from "./relay-routes.ts";
import type { Route } from "./route.ts";
import type { Services } from "./services.ts";
import { sessionRoutes } from "./session-routes.ts";
import { signingKeyRoutes } from "./signing-key-routes.ts";
import { socketRoutes } from "./socket-routes.ts";

/** Every route that needs a key, in the order in which they are matched. */
export function controlRoutes(services: Services): Route[] {
  return [
    ...socketRoutes(services),
    ...sessionRoutes(services),
    ...keyRoutes(services),
    ...relayRoutes(services),
    ...invitationRoutes(services),
    ...metricsRoutes(services),
    ...signingKeyRoutes(services),
  ];
}
