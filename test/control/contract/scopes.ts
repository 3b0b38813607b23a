import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Scope } from "../../../protocol/keys.ts";
import { connectAgent, refusedUpgrade } from "../peers.ts";
import { allRoutes } from "../route-table.ts";
import { refuses, target } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Which scopes of the operator's account open which route; no route opens to another one. */
const table: Readonly<Record<string, readonly Scope[]>> = {
  "POST /v1/sessions": ["expose", "sessions", "admin"],
  "GET /v1/sessions": ["sessions", "admin"],
  "GET /v1/sessions/:idOrName": ["expose", "connect", "sessions", "admin"],
  "PATCH /v1/sessions/:idOrName": ["expose", "sessions", "admin"],
  "DELETE /v1/sessions/:idOrName": ["expose", "sessions", "admin"],
  "POST /v1/sessions/:idOrName/tickets": ["connect", "sessions", "admin"],
  "POST /v1/sessions/:idOrName/direct": ["connect", "sessions", "admin"],
  "GET /v1/sessions/:id/agent": ["expose", "sessions", "admin"],
  "GET /v1/sessions/:id/watch": ["sessions", "admin"],
  "POST /v1/invitations": ["sessions", "admin"],
  "GET /v1/whoami": ["expose", "connect", "sessions", "relays", "admin"],
  "POST /v1/keys": ["admin"],
  "GET /v1/keys": ["admin"],
  "DELETE /v1/keys/:id": ["admin"],
  "GET /v1/relays": ["admin"],
  "GET /v1/relays/candidates": ["expose", "sessions", "admin"],
  "POST /v1/relays/:id/drain": ["admin"],
  "POST /v1/relays/:id/rekey": ["admin"],
  "POST /v1/signing-keys": ["admin"],
  "DELETE /v1/relays/:id": ["admin"],
  "GET /v1/relays/:id/link": ["relays", "admin"],
  "GET /metrics": ["admin"],
};

/** What each scope opens, and what a key with names may do with other sessions. */
export function describeScopes(rig: Rig): void {
  describe("scopes", () => {
    const keyed = allRoutes().filter(({ access }) => access !== "public");
    const keyFor = async (scopes: Scope[], names?: string[]): Promise<{ token: string; id: string }> =>
      await rig.api().createKey({ scopes, ...(names === undefined ? {} : { names }) });

    test("every route opens to the scopes of the table, and to no other", async () => {
      assert.deepEqual(
        keyed.map(({ method, path }) => `${method} ${path}`).sort(),
        Object.keys(table).sort(),
      );
      for (const scope of Scope.options) {
        const { token } = await keyFor([scope]);
        for (const { method, path } of keyed) {
          const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
          // Nothing is there and no body is right, so that what is let in changes nothing.
          const url = rig.url() + path.replace(/:\w+/, "r_00000000none");
          const body = method === "POST" || method === "PATCH" ? { body: '{"no":"such field"}' } : {};
          const { status } = await fetch(url, { method, headers, ...body });
          const opens = table[`${method} ${path}`]?.includes(scope) ?? false;
          assert.equal(status !== 403, opens, `${scope}: ${method} ${path} answered ${status}`);
          assert.notEqual(status, 401);
        }
      }
    });

    test("a key that exposes one name serves that one, and no other is there for it", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      const other = await create({ name: `other-${region}` });
      const { token } = await keyFor(["expose"], [`desk-${region}`]);
      const api = rig.apiOf(token);
      await refuses(api.createSession({ target, region }), "forbidden");
      const own = await api.createSession({ target, region, name: `desk-${region}` });
      await using agent = await connectAgent(rig.url(), own.id, token);
      assert.equal((await agent.next()).type, "placed");
      assert.equal((await api.getSession(own.name)).state, "live");
      for (const idOrName of [other.id, other.name]) {
        await refuses(api.getSession(idOrName), "not_found");
        await refuses(api.updateSession(idOrName, { pairs: 1 }), "not_found");
        await refuses(api.endSession(idOrName), "not_found");
      }
      await refuses(api.requestTickets(own.id), "forbidden");
      await refuses(api.createSession({ target, region, name: other.name }), "forbidden");
      const upgrade = `${rig.url()}/v1/sessions/${other.id}/agent`;
      assert.deepEqual(await refusedUpgrade(upgrade, token), { status: 404, code: "not_found" });
      assert.deepEqual(await rig.api().getSession(other.id), other, "untouched");
    });

    test("a key that exposes any name takes no session that another key has made", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      const other = await create({ name: `taken-${region}` });
      const [{ token }, second] = [await keyFor(["expose"]), await keyFor(["expose"])];
      const api = rig.apiOf(token);
      await refuses(api.createSession({ target, region, name: other.name }), "name_taken");
      await refuses(api.endSession(other.id), "not_found");
      const free = await api.createSession({ target, region, suggestedName: other.name });
      assert.equal(free.name, `${other.name}-2`);
      await refuses(rig.apiOf(second.token).createSession({ target, region, name: free.name }), "name_taken");
      assert.equal((await api.createSession({ target, region, name: free.name })).id, free.id, "its own");
      await api.endSession(free.id);
    });

    test("a pattern stands for its names alone", async () => {
      await using relay = await rig.newRelay();
      const { region } = relay;
      const api = rig.apiOf((await keyFor(["expose"], ["cam-*"])).token);
      for (const name of ["cam", "camera", "a-cam-1", "desk"])
        await refuses(api.createSession({ target, region, name }), "forbidden");
      await refuses(api.createSession({ target, region }), "forbidden");
      assert.equal((await api.createSession({ target, region, name: "cam-1" })).name, "cam-1");
      await api.endSession("cam-1");
    });

    test("a key that connects to one name gets tickets for that one, and serves nothing", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      const mine = await create({ name: `mine-${region}` });
      const other = await create({ name: `others-${region}` });
      const { token } = await keyFor(["connect"], [mine.name]);
      const api = rig.apiOf(token);
      assert.equal((await api.requestTickets(mine.name)).session, mine.id);
      assert.equal((await api.getSession(mine.id)).id, mine.id);
      for (const idOrName of [other.id, other.name]) {
        await refuses(api.requestTickets(idOrName), "not_found");
        await refuses(api.getSession(idOrName), "not_found");
      }
      await refuses(api.createSession({ target, region, name: mine.name }), "forbidden");
      await refuses(api.endSession(mine.id), "forbidden");
      const upgrade = `${rig.url()}/v1/sessions/${mine.id}/agent`;
      assert.deepEqual(await refusedUpgrade(upgrade, token), { status: 403, code: "forbidden" });
    });

    test("names and relays bound their own scopes, and nothing is bound to nothing", async () => {
      const api = rig.api();
      await refuses(api.createKey({ scopes: ["sessions"], names: ["desk"] }), "bad_request");
      await refuses(api.createKey({ scopes: ["expose", "admin"], names: ["desk"] }), "bad_request");
      await refuses(api.createKey({ scopes: ["sessions"], relay: "r_00000000" }), "bad_request");
      await refuses(api.createKey({ scopes: ["expose"], names: [] }), "bad_request");
      await refuses(api.createKey({ scopes: ["expose"], names: ["a*b*c"] }), "bad_request");
    });
  });
}
