import * as z from "zod";
import { AccountId, PageQuery } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { CreateKey, CreatedKey, KeyId, KeyList, WhoAmI } from "../protocol/keys.ts";
import { adminAccount } from "./auth.ts";
import type { Caller } from "./auth.ts";
import { createdKeyView, keyIdOf, newToken, sha256 } from "./keys.ts";
import { unwrap } from "./outcome.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";

const AccountQuery = z.strictObject({ account: AccountId.optional() });
const KeysQuery = PageQuery.extend({ account: AccountId.optional() });

/** Make, list and revoke an account's keys. The operator may name another account, nobody else. */
export function keyRoutes({ env }: Services): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/v1/whoami",
      access: "any",
      summary: "Says what the token is: its account, its key and its scopes.",
      answers: { 200: WhoAmI },
      // The schema leaves out what is for the control plane alone.
      handle: async ({ caller }) => Response.json(WhoAmI.parse(caller)),
    }),
    defineRoute({
      method: "POST",
      path: "/v1/keys",
      access: "admin",
      summary: "Makes a key; this answer alone shows its token.",
      body: CreateKey,
      answers: { 201: CreatedKey },
      handle: async ({ caller, body }) => {
        const account = accountFor(caller, body.account);
        if (body.scopes.includes("relays") && account !== adminAccount)
          throw new RdvError(
            "forbidden",
            "scopes: relays join the fleet with keys of the operator's account",
          );
        const token = newToken(account);
        const hash = await sha256(token);
        const record = unwrap(await env.ACCOUNTS.getByName(account).addKey({ account, hash, request: body }));
        if (record.relay !== null) await env.RELAYS.getByName(record.relay).reserve(keyIdOf(hash));
        return Response.json(createdKeyView(account, record, token), { status: 201 });
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/keys",
      access: "admin",
      summary: "Lists the keys of the account, without their tokens.",
      query: KeysQuery,
      answers: { 200: KeyList },
      handle: async ({ caller, query: { account: named, ...page } }) => {
        const account = accountFor(caller, named);
        return Response.json(await env.ACCOUNTS.getByName(account).listKeys({ account, page }));
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/v1/keys/:id",
      access: "admin",
      summary: "Revokes a key at once; what was opened with it ends within a minute.",
      query: AccountQuery,
      answers: { 204: null },
      handle: async ({ caller, param, query }) => {
        const id = KeyId.safeParse(param("id"));
        const account = accountFor(caller, query.account);
        const wasThere = id.success && (await env.ACCOUNTS.getByName(account).revokeKey(id.data));
        if (!wasThere)
          throw new RdvError(
            "not_found",
            `There is no key ${JSON.stringify(param("id").slice(0, 80))}; rdv keys ls lists yours`,
          );
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

function accountFor({ account }: Caller, named: string | undefined): string {
  if (named === undefined || named === account || account === adminAccount) return named ?? account;
  throw new RdvError("forbidden", "account: only the operator's key may name another account");
}
