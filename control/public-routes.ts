import * as z from "zod";
import { SeenAddress } from "../protocol/connect.ts";
import { addressPath } from "../protocol/handshake.ts";
import { seenAddress } from "./client-address.ts";
import { openApiDocument } from "./openapi.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";

const Health = z.object({ status: z.literal("ok") });
const Jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

/** What everybody may read: that the control plane lives, its public keys, and the description of its API. */
export function publicRoutes({ signer }: Services, keyed: readonly Route[]): Route[] {
  const open = { method: "GET", access: "public" } as const;
  const jwks = {
    ...open,
    summary: "The public keys with which relays verify tickets (RFC 7517).",
    answers: { 200: Jwks },
    handle: async () => Response.json(signer.jwks()),
  };
  // Made once: anybody may ask for it, and to make it costs as much as thirty other answers.
  let document: string | undefined;
  const routes: Route[] = [
    defineRoute({
      ...open,
      path: "/healthz",
      summary: "Says that the control plane runs.",
      answers: { 200: Health },
      handle: async () => Response.json({ status: "ok" }),
    }),
    defineRoute({ ...jwks, path: "/v1/jwks" }),
    defineRoute({ ...jwks, path: "/.well-known/jwks.json" }),
    defineRoute({
      ...open,
      path: addressPath,
      summary: "Tells who asks how it is seen from here, where the host sees ports.",
      answers: { 200: SeenAddress },
      handle: async ({ peer }) => Response.json(seenAddress(peer)),
    }),
    defineRoute({
      ...open,
      path: "/openapi.json",
      summary: "This document.",
      answers: { 200: z.looseObject({ openapi: z.string() }) },
      handle: async () => {
        document ??= JSON.stringify(openApiDocument([...routes, ...keyed]));
        return new Response(document, { headers: { "content-type": "application/json" } });
      },
    }),
  ];
  return routes;
}
