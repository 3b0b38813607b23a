import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Route } from "../../../control/route.ts";
import type { Access } from "../../../control/route.ts";
import type { Scope } from "../../../protocol/keys.ts";
import { Problem } from "../../../protocol/errors.ts";
import { refusedUpgrade } from "../peers.ts";
import { allRoutes } from "../route-table.ts";
import { target } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** A well formed body for every route that takes one: what is refused must be refused for the right reason. */
const bodies: Readonly<Record<string, object>> = {
  "POST /v1/sessions": { target, name: "intruder" },
  "PATCH /v1/sessions/:idOrName": { pairs: 1 },
  "POST /v1/sessions/:idOrName/tickets": {},
  "POST /v1/sessions/:idOrName/direct": { offer: "o".repeat(22), key: "k".repeat(43), candidates: [] },
  "POST /v1/keys": { scopes: ["sessions"] },
  "POST /v1/relays/:id/rekey": {},
  "POST /v1/invitations": { target: "localhost:22", inviter: "Eve" },
};

/** Scopes of the operator's account that do not open a route of this kind. */
const wrongScopes: Readonly<Record<Exclude<Access, "public" | "any">, Scope[]>> = {
  expose: ["connect", "relays"],
  connect: ["expose", "relays"],
  session: ["relays"],
  sessions: ["expose", "connect", "relays"],
  relays: ["expose", "connect", "sessions"],
  admin: ["expose", "connect", "sessions", "relays"],
  fleet: ["expose", "connect", "sessions", "relays"],
};

/** Every route of the app's own table, with every kind of wrong key. */
export function describeRoutes(rig: Rig): void {
  describe("every route", () => {
    const routes = allRoutes().filter(({ access }) => access !== "public");

    test("the routes without key are the known ones", () => {
      const open = allRoutes().filter(({ access }) => access === "public");
      for (const { path } of open)
        assert.match(
          path,
          /^(\/healthz|\/v1\/jwks|\/\.well-known\/jwks\.json|\/openapi\.json|\/v1\/address|\/j\/:code.*)$/,
        );
    });

    for (const route of routes) {
      const name = `${route.method} ${route.path}`;

      test(`${name} refuses who has no token, or a wrong one`, async () => {
        const path = fill(route.path, {
          session: `s_${"a".repeat(26)}`,
          key: `k_${"0".repeat(26)}`,
          relay: "r_00000000",
        });
        for (const token of [undefined, "rdv_admin_wrongwrongwrongwrong"]) {
          const { status, code } = await ask(rig, route, path, token);
          assert.deepEqual([status, code], [401, "unauthorized"], name);
        }
      });

      const { access } = route;
      if (access !== "public" && access !== "any")
        test(`${name} refuses a key of the operator that lacks its scope`, async () => {
          const path = fill(route.path, {
            session: `s_${"a".repeat(26)}`,
            key: `k_${"0".repeat(26)}`,
            relay: "r_00000000",
          });
          const { token } = await rig.api().createKey({ scopes: wrongScopes[access] });
          const { status, code } = await ask(rig, route, path, token);
          assert.deepEqual([status, code], [403, "forbidden"], name);
        });

      test(`${name} shows another account nothing, not even to its administrator`, async () => {
        await using relay = await rig.newRelay();
        const session = await relay.create({ name: `victim-${relay.region}` });
        const key = await rig.api().createKey({ scopes: ["sessions"], label: "of the victim" });
        const eve = await rig.api().createKey({ account: "a_eve", scopes: ["admin"] });
        for (const id of [session.id, session.name]) {
          const path = fill(route.path, { session: id, key: key.id, relay: relay.id });
          const { status, text } = await ask(rig, route, path, eve.token);
          if (path !== route.path) assert.ok(status >= 400, `${name} answered ${status}`);
          const secrets = [session.id, session.name, key.id];
          // An error may repeat what was asked for.
          if (status < 400)
            for (const secret of secrets) assert.ok(!text.includes(secret), `${name} shows ${secret}`);
        }
        assert.deepEqual(await rig.api().getSession(session.id), session, "untouched");
        assert.ok(
          (await rig.api().listKeys()).some(({ id }) => id === key.id),
          "untouched",
        );
      });
    }
  });
}

function fill(path: string, ids: { session: string; key: string; relay: string }): string {
  const id = path.startsWith("/v1/keys") ? ids.key : path.startsWith("/v1/relays") ? ids.relay : ids.session;
  return path.replace(/:(id|idOrName)\b/, id);
}

async function ask(
  rig: Rig,
  route: Route,
  path: string,
  token: string | undefined,
): Promise<{ status: number; code: string | undefined; text: string }> {
  assert.ok(!path.includes(":"), `${route.path} has a parameter that this test does not know`);
  if (101 in route.answers) return { ...(await refusedUpgrade(rig.url() + path, token)), text: "" };
  const body = bodies[`${route.method} ${route.path}`];
  assert.equal(body !== undefined, route.body !== undefined, `a body for ${route.method} ${route.path}`);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(rig.url() + path, {
    method: route.method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const code = response.ok ? undefined : Problem.parse(JSON.parse(text)).code;
  return { status: response.status, code, text };
}
