import { createApp } from "../../control/app.ts";
import { publicRoutes } from "../../control/public-routes.ts";
import type { Route } from "../../control/route.ts";
import { controlRoutes } from "../../control/routes.ts";
import { createServices } from "../../control/services.ts";
import type { ControlEnv } from "../../control/services.ts";

// Routes are made without looking at any binding.
const services = createServices({} as ControlEnv);

/** Every route of the control plane's table. */
export function allRoutes(): Route[] {
  const keyed = controlRoutes(services);
  return [...publicRoutes(services, keyed), ...keyed];
}

/** Every route that the app serves, whoever registered it. */
export function servedRoutes(): { readonly method: string; readonly path: string }[] {
  const app = createApp({ ...services, onError: () => {} });
  return app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => ({ method, path }));
}
