import { env } from "cloudflare:workers";
import { createAccountObject } from "./account-object.ts";
import { createApp } from "./app.ts";
import { createCountObject } from "./count-object.ts";
import type { Peer } from "./app.ts";
import { createGuessObject } from "./guess-object.ts";
import { createInvitationObject } from "./invitation-object.ts";
import { createRegionObject } from "./region-object.ts";
import { createRelayObject } from "./relay-object.ts";
import type { ControlEnv } from "./services.ts";
import { createServices } from "./services.ts";
import { createSessionObject } from "./session-object.ts";
import { durableClass } from "./workers-class.ts";

export const SessionObject = durableClass(createSessionObject, [
  "open",
  "view",
  "isTaken",
  "held",
  "end",
  "update",
  "tickets",
  "direct",
  "keyEnded",
  "relayBack",
  "relayLost",
  "relayDrains",
  "whereabouts",
  "admit",
  "presence",
  "invitation",
  "openRaw",
  "hasRaw",
]);
export const RelayObject = durableClass(createRelayObject, [
  "lease",
  "offer",
  "release",
  "view",
  "drain",
  "policy",
  "openRaw",
  "remove",
  "reserve",
  "rekey",
  "keyEnded",
]);
export const AccountObject = durableClass(createAccountObject, [
  "reserve",
  "report",
  "forget",
  "find",
  "list",
  "checkKey",
  "isValidKey",
  "addKey",
  "listKeys",
  "revokeKey",
]);
export const RegionObject = durableClass(createRegionObject, [
  "report",
  "forget",
  "list",
  "choose",
  "usable",
  "addRegion",
  "regions",
]);

export const InvitationObject = durableClass(createInvitationObject, [
  "create",
  "view",
  "claim",
  "presence",
  "end",
]);
export const GuessObject = durableClass(createGuessObject, ["take", "giveBack", "counts"]);

export const CountObject = durableClass(createCountObject, ["add", "counts"]);

const app = createApp({
  // wrangler.toml binds exactly these names.
  ...createServices(env as ControlEnv),
  // oxlint-disable-next-line no-console -- the Worker's log is the console
  onError: (error, requestId) => console.error(`control: request ${requestId} failed`, error),
});

// oxlint-disable-next-line import/no-default-export -- Workers looks for the handler there
export default {
  fetch: async (request: Request): Promise<Response> => await app.fetch(request, peerOf(request)),
};

/** Cloudflare sets this header on every request and lets no client set it. */
function peerOf(request: Request): Peer {
  return { address: request.headers.get("cf-connecting-ip") ?? undefined };
}
