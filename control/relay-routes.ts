import type { Relay } from "../protocol/api.ts";
import { PageQuery, RelayCandidates, RelayDrain, RelayId, RelayList } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { RekeyRelay } from "../protocol/keys.ts";
import { adminAccount } from "./auth.ts";
import { countOthers, listCandidates, listRelays } from "./fleet.ts";
import { unwrap } from "./outcome.ts";
import { pageOf } from "./pages.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";

/** The operator's view of the fleet, and the relays that agents may measure. */
export function relayRoutes(services: Services): Route[] {
  const { env } = services;
  return [
    defineRoute({
      method: "GET",
      path: "/v1/relays",
      access: "fleet",
      summary: "Lists the relays of the fleet.",
      query: PageQuery,
      answers: { 200: RelayList },
      handle: async ({ query }) => {
        const { entries: relays, ...rest } = pageOf<Relay>(await listRelays(services), query);
        return Response.json({ relays, ...rest } satisfies RelayList);
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/relays/candidates",
      access: "expose",
      summary: "Relays to which an agent may measure its latency.",
      answers: { 200: RelayCandidates },
      handle: async () => Response.json({ relays: await listCandidates(services) } satisfies RelayCandidates),
    }),
    defineRoute({
      method: "POST",
      path: "/v1/relays/:id/drain",
      access: "fleet",
      summary: "Gives a relay's sessions to other relays; it takes no new ones.",
      answers: { 200: RelayDrain },
      handle: async ({ param }) => {
        const id = relayIdOf(param("id"));
        const relay = unwrap(await env.RELAYS.getByName(id).drain(null));
        return Response.json({ relay, others: await countOthers(services, id) } satisfies RelayDrain);
      },
    }),
    defineRoute({
      method: "POST",
      path: "/v1/relays/:id/rekey",
      access: "fleet",
      summary: "Gives a relay's id to a key, and lets its next hello say the key of its certificate anew.",
      body: RekeyRelay,
      answers: { 204: null },
      handle: async ({ param, body: { key } }) => {
        const id = relayIdOf(param("id"));
        if (key !== undefined && !(await env.ACCOUNTS.getByName(adminAccount).isValidKey(key)))
          throw new RdvError("not_found", `There is no key ${key}; rdv keys ls lists yours`);
        if (!(await env.RELAYS.getByName(id).rekey(key ?? null))) throw noRelay();
        return new Response(null, { status: 204 });
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v1/relays/:id",
      access: "fleet",
      summary: "Takes a relay that has nothing to do any more out of the fleet.",
      answers: { 204: null },
      handle: async ({ param }) => {
        unwrap(await env.RELAYS.getByName(relayIdOf(param("id"))).remove(null));
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

function relayIdOf(text: string): string {
  const id = RelayId.safeParse(text);
  if (id.success) return id.data;
  throw noRelay();
}

function noRelay(): RdvError {
  return new RdvError("not_found", "There is no such relay; rdv relays lists them");
}
