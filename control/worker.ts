import { env } from "cloudflare:workers";
import { createAccountObject } from "./account-object.ts";
import { createApp } from "./app.ts";
import { createRegionObject } from "./region-object.ts";
import { createRelayObject } from "./relay-object.ts";
import type { ControlEnv } from "./services.ts";
import { createServices } from "./services.ts";
import { createSessionObject } from "./session-object.ts";
import { durableClass } from "./workers-class.ts";

export const SessionObject = durableClass(createSessionObject, [
  "open",
  "view",
  "isLive",
  "end",
  "relayBack",
]);
export const RelayObject = durableClass(createRelayObject, ["lease", "release", "view"]);
export const AccountObject = durableClass(createAccountObject, [
  "reserve",
  "report",
  "forget",
  "find",
  "list",
  "hasKey",
  "addKey",
]);
export const RegionObject = durableClass(createRegionObject, [
  "report",
  "forget",
  "list",
  "choose",
  "addRegion",
  "regions",
]);

const app = createApp({
  // wrangler.toml binds exactly these names.
  ...createServices(env as ControlEnv),
  // oxlint-disable-next-line no-console -- the Worker's log is the console
  onError: (error, requestId) => console.error(`control: request ${requestId} failed`, error),
});

// oxlint-disable-next-line import/no-default-export -- Workers looks for the handler there
export default { fetch: async (request: Request): Promise<Response> => await app.fetch(request) };
