import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import type { Session } from "../../../protocol/api.ts";
import { adminToken } from "../control-under-test.ts";
import { connectAgent, refusedUpgrade, startRelay } from "../peers.ts";
import { clientHeaders, refuses, shows, target } from "./rig.ts";
import type { Rig } from "./rig.ts";
import { createTicketVerifier } from "../../../protocol/tickets.ts";

/** Keys: made, listed, revoked, expired, and what was opened with them. */
export function describeKeys(rig: Rig): void {
  const sessionIn = async (token: string, region: string, name: string): Promise<Session> =>
    await rig.apiOf(token).createSession({ target, region, name });

  describe("keys", () => {
    test("a new key opens what its scopes say, and its token is shown once", async () => {
      const made = await rig.api().createKey({ label: "laptop", scopes: ["sessions", "sessions"] });
      assert.match(made.token, /^rdv_admin_[A-Za-z0-9_-]{43}$/);
      const { token, ...shown } = made;
      assert.deepEqual(shown.scopes, ["sessions"]);
      assert.equal(shown.expiresAt, null);
      const listed = (await rig.api().listKeys()).find(({ id }) => id === made.id);
      assert.deepEqual(listed, shown);
      await rig.apiOf(token).listSessions();
      assert.deepEqual(await rig.apiOf(token).whoAmI(), {
        account: "a_admin",
        key: made.id,
        scopes: ["sessions"],
        ...unbounded,
      });
      const root = { account: "a_admin", key: "root", scopes: ["admin"], ...unbounded };
      assert.deepEqual(await rig.api().whoAmI(), root);
      await refuses(rig.apiOf(token).listKeys(), "forbidden");
      await refuses(rig.apiOf(token).listRelays(), "forbidden");
      await rig.api().revokeKey(made.id);
      await refuses(rig.apiOf(token).listSessions(), "unauthorized");
      await refuses(rig.api().revokeKey(made.id), "not_found");
      assert.ok(!(await rig.api().listKeys()).some(({ id }) => id === made.id));
    });

    test("a key lets a relay in with the scope relays, and no session", async () => {
      const { token } = await rig.api().createKey({ scopes: ["relays"] });
      await using _link = await startRelay(rig.url(), "r_bykey0001", token, { region: "by-key" });
      await refuses(rig.apiOf(token).listSessions(), "forbidden");
    });

    test("the administrator of an account rules its keys alone", async () => {
      const { token, account } = await rig.api().createKey({ account: "a_carol", scopes: ["admin"] });
      assert.equal(account, "a_carol");
      const carol = rig.apiOf(token);
      const own = await carol.createKey({ scopes: ["sessions"] });
      assert.equal(own.account, "a_carol");
      await refuses(carol.createKey({ account: "a_admin", scopes: ["admin"] }), "forbidden");
      await refuses(carol.createKey({ scopes: ["relays"] }), "forbidden");
      await refuses(carol.listKeys("a_bob"), "forbidden");
      const admins = await rig.api().createKey({ scopes: ["sessions"] });
      await refuses(carol.revokeKey(admins.id), "not_found");
      await refuses(carol.revokeKey(admins.id, "a_admin"), "forbidden");
      assert.deepEqual(
        (await rig.api().listKeys("a_carol")).map(({ id }) => id).sort(),
        (await carol.listKeys()).map(({ id }) => id).sort(),
      );
      await rig.api().revokeKey(own.id, "a_carol");
      await refuses(rig.apiOf(own.token).listSessions(), "unauthorized");
    });

    test("lists come in pages that add up to the whole", async () => {
      await using relay = await rig.newRelay();
      const { token } = await rig.api().createKey({ account: "a_pages", scopes: ["admin"] });
      for (const name of ["one", "two", "three", "four", "five"]) {
        if (name !== "five") await rig.apiOf(token).createKey({ scopes: ["sessions"] });
        await sessionIn(token, relay.region, name);
      }
      for (const list of ["keys", "sessions"]) {
        const seen = await readPages(`${rig.url()}/v1/${list}`, list, token);
        assert.equal(seen.length, 5, list);
        assert.deepEqual(seen, [...new Set(seen)].sort());
        for (const query of ["limit=0", "limit=x", "limit=501", "cursor=%00", "page=2"]) {
          const response = await fetch(`${rig.url()}/v1/${list}?${query}`, bearer(token));
          assert.equal(response.status, 400, query);
        }
      }
    });

    test("revoking a key ends the sessions that it made or whose agent came with it, and no others", async () => {
      await using relay = await rig.newRelay();
      const key = await rig.api().createKey({ scopes: ["sessions"] });
      const made = await sessionIn(key.token, relay.region, "made-with-it");
      const attached = await relay.create({ name: "attached-with-it" });
      const other = await relay.create({ name: "of-another-key" });
      await using madeAgent = await connectAgent(rig.url(), made.id, adminToken);
      await using attachedAgent = await connectAgent(rig.url(), attached.id, key.token);
      await using otherAgent = await connectAgent(rig.url(), other.id, adminToken);
      for (const agent of [madeAgent, attachedAgent, otherAgent])
        assert.equal((await agent.next()).type, "placed");
      await rig.api().revokeKey(key.id);
      for (const agent of [madeAgent, attachedAgent]) {
        const ended = await agent.next();
        assert.ok(ended.type === "ended" && /key.*revoked/.test(ended.reason));
        await agent.closing();
      }
      const told = [await relay.link.next(), await relay.link.next(), await relay.link.next()];
      assert.deepEqual(
        told.map((signal) => (signal.type === "end" ? signal.ended.session : signal.type)).sort(),
        ["key_ended", made.id, attached.id].sort(),
      );
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/sessions/${made.id}/agent`, key.token), {
        status: 401,
        code: "unauthorized",
      });
      assert.equal((await rig.api().getSession(other.id)).state, "live");
    });

    test("a session that was taken over by another key lives on without the first one", async () => {
      await using relay = await rig.newRelay();
      const [first, second] = [
        await rig.api().createKey({ scopes: ["sessions"] }),
        await rig.api().createKey({ scopes: ["sessions"] }),
      ];
      const session = await sessionIn(first.token, relay.region, "rotated");
      const older = await connectAgent(rig.url(), session.id, first.token);
      await older.next();
      await sessionIn(second.token, relay.region, "rotated");
      await using newer = await connectAgent(rig.url(), session.id, second.token);
      assert.equal((await newer.next()).type, "placed");
      await older[Symbol.asyncDispose]();
      const sentinel = await sessionIn(first.token, relay.region, "sentinel");
      await rig.api().revokeKey(first.id);
      await shows(
        async () =>
          await rig
            .api()
            .getSession(sentinel.id)
            .then(
              (one) => one.state === "ended",
              () => true,
            ),
      );
      assert.equal((await rig.api().getSession(session.id)).state, "live");
    });

    test("revoking a relay's key closes its link, and the relay cannot come back with it", async () => {
      const key = await rig.api().createKey({ scopes: ["relays"] });
      await using link = await startRelay(rig.url(), "r_bykey0002", key.token, { region: "by-key-2" });
      await using other = await startRelay(rig.url(), "r_bykey0003", adminToken, { region: "by-key-2" });
      await rig.api().revokeKey(key.id);
      await link.closing();
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/relays/r_bykey0002/link`, key.token), {
        status: 401,
        code: "unauthorized",
      });
      assert.equal((await other.next()).type, "key_ended");
      other.send('{"type":"ping"}');
      assert.deepEqual(await other.next(), { type: "pong" });
    });

    test("a client's ticket names its key; the end of the key is told to every relay, also to one that was away", async () => {
      const away = await rig.newRelay();
      await using here = await rig.newRelay();
      const session = await here.create({ private: true });
      const key = await rig.api().createKey({ scopes: ["connect"], account: "a_admin" });
      const { placements } = await rig.apiOf(key.token).requestTickets(session.id);
      const verify = createTicketVerifier(await rig.api().jwks(), here.id, Date.now);
      const ticket = await verify(placements[0]?.ticket ?? "");
      assert.equal(ticket.key, key.id);
      away.link.kill();
      await rig.api().revokeKey(key.id);
      const told = await here.link.next();
      assert.ok(told.type === "key_ended" && told.ended.key === key.id && told.ended.until >= ticket.expires);
      await using back = await startRelay(rig.url(), away.id, adminToken, { region: away.region });
      const again = await back.next();
      assert.ok(again.type === "key_ended" && again.ended.key === key.id);
    });

    test("a key that expires is no key any more, and its session ends with it", async () => {
      await using relay = await rig.newRelay();
      const key = await rig.api().createKey({ scopes: ["sessions"], expiresInSeconds: 5 });
      assert.equal(Date.parse(key.expiresAt ?? "") - Date.parse(key.createdAt), 5_000);
      const session = await sessionIn(key.token, relay.region, "short");
      await using agent = await connectAgent(rig.url(), session.id, key.token);
      assert.equal((await agent.next()).type, "placed");
      assert.equal((await agent.next()).type, "ended");
      await refuses(rig.apiOf(key.token).listSessions(), "unauthorized");
      assert.ok(!(await rig.api().listKeys()).some(({ id }) => id === key.id));
    });

    test("keys are still there after a restart", async () => {
      const key = await rig.api().createKey({ scopes: ["sessions"] });
      await rig.restart();
      await rig.apiOf(key.token).listSessions();
    });

    test("who sends wrong tokens again and again has to wait; who has a key that is known does not", async () => {
      const { token } = await rig.api().createKey({ account: "a_dave", scopes: ["sessions"] });
      const from = (token: string) => ({
        authorization: `Bearer ${token}`,
        ...clientHeaders("192.0.2.99"),
      });
      const status = async (token: string): Promise<Response> =>
        await fetch(`${rig.url()}/v1/sessions`, { headers: from(token) });
      assert.equal((await status(token)).status, 200);
      const wrong = await Promise.all(
        Array.from({ length: 150 }, async (_, i) => await status(`rdv_dave_wrongwrongwrong${i}`)),
      );
      const refused = wrong.filter((response) => response.status === 429);
      assert.ok(
        refused.length > 0 && wrong.every((response) => response.status === 401 || response.status === 429),
      );
      assert.ok(Number(refused[0]?.headers.get("retry-after")) >= 1);
      assert.equal((await status(token)).status, 200);
    });
  });
}

const unbounded = { names: null, relay: null, region: null };

function bearer(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } };
}

/** The ids of a list, two a page. */
async function readPages(url: string, list: string, token: string): Promise<string[]> {
  const Page = z.object({
    [list]: z.array(z.object({ id: z.string() })).max(2),
    next: z.string().optional(),
  });
  const ids: string[] = [];
  for (let query = "?limit=2"; ;) {
    const page = Page.parse(await (await fetch(url + query, bearer(token))).json());
    const entries = page[list];
    if (Array.isArray(entries)) ids.push(...entries.map(({ id }) => id));
    if (typeof page["next"] !== "string") return ids;
    query = `?limit=2&cursor=${page["next"]}`;
  }
}
