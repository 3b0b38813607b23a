import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Session } from "../../protocol/api.ts";
import type { CreateSession } from "../../protocol/api.ts";
import { createApi } from "../../protocol/client.ts";
import type { Api } from "../../protocol/client.ts";
import { Problem, RdvError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { SessionSignal } from "../../protocol/signals.ts";
import { createTicketVerifier } from "../../protocol/tickets.ts";
import { until } from "../fixtures/within.ts";
import type { ControlUnderTest, StartControl } from "./control-under-test.ts";
import { adminToken, createSecrets } from "./control-under-test.ts";
import type { Peer } from "./peers.ts";
import { connectAgent, connectLink, refusedUpgrade, startRelay } from "./peers.ts";

/** What takes longer than this in a test never comes, in milliseconds. */
const patience = 10_000;
const target = "localhost:22";
const bobToken = "rdv_bob_0123456789abcdefghij";

/** What every host of the control plane must do, over real HTTP and WebSockets. */
export function describeControlPlane(hostName: string, start: StartControl): void {
  describe(`control plane on ${hostName}`, { timeout: 60_000 }, () => {
    let control: ControlUnderTest;
    let api: Api;
    const url = (): string => control.url();

    before(async () => {
      control = await start(await createSecrets());
      await control.addKey("a_bob", bobToken);
      api = createApi({ url: url(), token: adminToken });
    });
    after(async () => await control[Symbol.asyncDispose]());

    /** A fresh region with one relay, so that tests do not share ports. */
    let regions = 0;
    const newRelay = async (hello = {}) => {
      regions += 1;
      const region = `region-${regions}`;
      const id = `r_${String(regions).padStart(8, "0")}`;
      const link = await startRelay(url(), id, adminToken, { region, ...hello });
      const create = async (request: Partial<CreateSession> = {}): Promise<Session> => {
        return await eventually(
          async () => await api.createSession({ target, region, name: `${region}-s`, ...request }),
          "no_relay",
        );
      };
      return { id, region, link, create };
    };
    const agentOf = async (session: Session): Promise<Peer<SessionSignal>> =>
      await connectAgent(url(), session.id, adminToken);

    test("healthz answers without token, and like every answer is private and has a request id", async () => {
      const response = await fetch(`${url()}/healthz`);
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { status: "ok" });
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    });

    test("the key set is public and holds no private part", async () => {
      const keys = await createApi({ url: url() }).jwks();
      assert.deepEqual(keys, await (await fetch(`${url()}/.well-known/jwks.json`)).json());
      assert.equal(keys.keys.length, 1);
      assert.equal(keys.keys[0]?.["d"], undefined);
      assert.equal(keys.keys[0]?.["kid"], "test");
    });

    for (const [what, authorization] of [
      ["no token", undefined],
      ["a wrong administrator token", "Bearer rdv_admin_wrongwrongwrongwrong"],
      ["a token of nobody", "Bearer rdv_nobody_0123456789abcdefghij"],
      ["something that is no token", "Bearer abc"],
      ["another scheme", `Basic ${adminToken}`],
    ] as const) {
      test(`${what} is unauthorized on every route`, async () => {
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
        const id = `s_${"a".repeat(26)}`;
        for (const [method, path] of [
          ["POST", "/v1/sessions"],
          ["GET", "/v1/sessions"],
          ["GET", `/v1/sessions/${id}`],
          ["DELETE", `/v1/sessions/${id}`],
          ["GET", "/v1/relays"],
          ["GET", `/v1/sessions/${id}/agent`],
          ["GET", "/v1/relays/r_00000000/link"],
        ] as const) {
          const response = await fetch(url() + path, { method, headers });
          assert.equal(response.status, 401, `${method} ${path}`);
          assert.equal(Problem.parse(await response.json()).code, "unauthorized");
          assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
          assert.ok(response.headers.get("x-request-id"));
        }
        const token = authorization?.startsWith("Bearer ") ? authorization.slice(7) : undefined;
        assert.deepEqual(await refusedUpgrade(`${url()}/v1/sessions/${id}/agent`, token), {
          status: 401,
          code: "unauthorized",
        });
        assert.deepEqual(await refusedUpgrade(`${url()}/v1/relays/r_00000000/link`, token), {
          status: 401,
          code: "unauthorized",
        });
      });
    }

    test("a relay that says hello is welcomed with the keys and listed", async () => {
      const { id, region, link } = await newRelay();
      await using _link = link;
      await using second = await connectLink(url(), id, adminToken);
      second.send(
        JSON.stringify({
          type: "hello",
          region,
          host: "2001:db8::1",
          sharedPort: 443,
          ports: { from: 1024, to: 1025 },
          version: "9",
        }),
      );
      const welcome = await second.next();
      assert.deepEqual(welcome, { type: "welcome", jwks: await api.jwks(), ended: [] });
      assert.equal((await link.closed).code, 4_001, "the older link is closed");
      const load = {
        pairs: 3,
        sessions: 2,
        bytesPerSecond: 1.5,
        descriptors: 10,
        maxDescriptors: 100,
        lagMs: 0.5,
      };
      second.send(JSON.stringify({ type: "load", load }));
      second.send('{"type":"ping"}');
      assert.deepEqual(await second.next(), { type: "pong" });
      const relay = await shows(async () =>
        (await api.listRelays()).find((one) => one.id === id && one.load !== null),
      );
      assert.equal(relay.host, "2001:db8::1");
      assert.equal(relay.state, "up");
      assert.deepEqual(relay.load, load);
    });

    test("sessions get the relay's ports in order and are found by id, by name and in the list", async () => {
      const { id, region, link, create } = await newRelay();
      await using _link = link;
      const first = await create({ name: "first" });
      const second = await create({ name: "second", target: "localhost:5900" });
      assert.equal(first.address, "relay.test:20000");
      assert.equal(second.address, "relay.test:20001");
      assert.deepEqual(first.placements, [
        { relay: id, region, host: "relay.test", sharedPort: 8788, clientPort: 20_000 },
      ]);
      assert.equal(first.state, "waiting");
      assert.equal(first.epoch, 0);
      assert.deepEqual(await api.getSession(first.id), first);
      assert.deepEqual(await api.getSession("first"), first);
      const listed = await api.listSessions();
      assert.deepEqual(
        listed
          .filter((one) => one.placements[0]?.relay === id)
          .map((one) => one.id)
          .sort(),
        [first.id, second.id].sort(),
      );
    });

    test("creating again by name takes the session up: 201 then 200, same id and port, newest policy", async () => {
      const { region, link, create } = await newRelay();
      await using _link = link;
      const first = await create({ name: "again", allow: ["::ffff:192.0.2.7", "10.0.0.0/8"], pairs: 3 });
      assert.deepEqual(first.policy, { allow: ["192.0.2.7", "10.0.0.0/8"], once: false, pairs: 3 });
      const body = JSON.stringify({ target: "localhost:23", region, name: "again", once: true });
      const response = await fetch(`${url()}/v1/sessions`, {
        method: "POST",
        body,
        headers: { authorization: `Bearer ${adminToken}` },
      });
      assert.equal(response.status, 200);
      const again = Session.parse(await response.json());
      assert.equal(again.id, first.id);
      assert.equal(again.address, first.address);
      assert.equal(again.target, "localhost:23");
      assert.deepEqual(again.policy, { allow: [], once: true, pairs: limits.pairsPerSession });
    });

    test("ten requests at once for one name make one session with one port", async () => {
      const { link, create } = await newRelay();
      await using _link = link;
      await create({ name: "warm-up" });
      const sessions = await Promise.all(
        Array.from({ length: 10 }, async () => await create({ name: "rush" })),
      );
      assert.equal(new Set(sessions.map((one) => one.id)).size, 1);
      assert.equal(new Set(sessions.map((one) => one.address)).size, 1);
      assert.equal(
        (await create({ name: "next" })).address,
        "relay.test:20002",
        "no port was lost in the rush",
      );
    });

    test("a suggested name is taken when it is free or its agent is away, else it gets a number", async () => {
      const { region, link, create } = await newRelay();
      await using _link = link;
      const suggest = async (): Promise<Session> =>
        await api.createSession({ target, region, suggestedName: "box" });
      await create();
      const first = await suggest();
      assert.equal(first.name, "box");
      assert.equal((await suggest()).id, first.id, "no agent yet");
      const agent = await agentOf(first);
      await agent.next();
      const second = await suggest();
      assert.equal(second.name, "box-2");
      await agent[Symbol.asyncDispose]();
      await shows(async () => (await api.getSession(first.id)).state === "waiting");
      assert.equal((await suggest()).id, first.id);
    });

    test("an agent is placed with a ticket that the published keys verify for that relay alone", async () => {
      const { id, link, create } = await newRelay();
      await using _link = link;
      const session = await create({ allow: ["192.0.2.0/24"], once: true, pairs: 2 });
      await using agent = await agentOf(session);
      const placed = await agent.next();
      assert.equal(placed.type, "placed");
      const [placement] = placed.placements;
      assert.ok(placement);
      const keys = await api.jwks();
      const ticket = await createTicketVerifier(keys, id, Date.now)(placement.ticket);
      const { expires, ...claims } = ticket;
      assert.deepEqual(claims, {
        kind: "agent",
        relay: id,
        session: session.id,
        owner: "a_admin",
        name: session.name,
        clientPort: 20_000,
        epoch: 1,
        allow: ["192.0.2.0/24"],
        once: true,
        pairs: 2,
      });
      assert.equal(expires, placement.ticketExpires);
      assert.ok(Math.abs(expires - Date.now() / 1_000 - limits.ticketSeconds) < 10);
      await assert.rejects(createTicketVerifier(keys, "r_99999999", Date.now)(placement.ticket), {
        code: "wrong_relay",
      });
      agent.send('{"type":"renew"}');
      assert.equal((await agent.next()).type, "placed");
      agent.send('{"type":"ping"}');
      assert.deepEqual(await agent.next(), { type: "pong" });
      const live = await api.getSession(session.id);
      assert.equal(live.state, "live");
      assert.ok(live.seenAt);
    });

    test("a newer agent replaces the older one, which is told and closed", async () => {
      const { link, create } = await newRelay();
      await using _link = link;
      const session = await create();
      await using older = await agentOf(session);
      await older.next();
      assert.equal(
        (await create()).id,
        session.id,
        "an explicit name is given back even while an agent is live",
      );
      await using newer = await agentOf(session);
      const placed = await newer.next();
      assert.ok(placed.type === "placed" && placed.epoch === 2);
      assert.deepEqual(await older.next(), { type: "replaced" });
      await older.closing();
      const now = await api.getSession(session.id);
      assert.equal(now.state, "live", "the older agent's end is not the session's");
      assert.equal(now.epoch, 2);
    });

    test("an agent that vanished leaves the session waiting; it comes back to the same port with the next epoch", async () => {
      const { link, create } = await newRelay();
      await using _link = link;
      const session = await create();
      const lost = await agentOf(session);
      await lost.next();
      lost.kill();
      await shows(async () => (await api.getSession(session.id)).state === "waiting");
      await shows(async () =>
        (await api.listSessions()).some((one) => one.id === session.id && one.state === "waiting"),
      );
      await using back = await agentOf(session);
      const placed = await back.next();
      assert.ok(
        placed.type === "placed" && placed.epoch === 2 && placed.placements[0]?.clientPort === 20_000,
      );
    });

    test("bye ends the session: the relay is told, the name is free, the port rests for the same name", async () => {
      const { link, create } = await newRelay();
      await using _link = link;
      const session = await create({ name: "short" });
      await using agent = await agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      agent.send('{"type":"bye"}');
      const end = await link.next();
      assert.deepEqual(end, {
        type: "end",
        ended: { session: session.id, until: placed.placements[0]?.ticketExpires },
      });
      assert.equal((await agent.next()).type, "ended");
      assert.deepEqual(await refusedUpgrade(`${url()}/v1/sessions/${session.id}/agent`, adminToken), {
        status: 410,
        code: "ended",
      });
      assert.equal((await api.getSession(session.id)).state, "ended");
      await shows(async () => !(await api.listSessions()).some((one) => one.id === session.id));
      assert.equal((await create({ name: "other" })).address, "relay.test:20001", "20000 rests");
      const again = await create({ name: "short" });
      assert.notEqual(again.id, session.id);
      assert.equal(again.address, "relay.test:20000");
    });

    test("a session is deleted by id or by name, as often as one likes", async () => {
      const { link, create } = await newRelay();
      await using _link = link;
      const byId = await create({ name: "by-id" });
      const byName = await create({ name: "by-name" });
      await api.endSession(byId.id);
      await api.endSession(byName.name);
      await refuses(api.endSession(byName.name), "not_found");
      await refuses(api.endSession("never-was"), "not_found");
      await refuses(api.getSession("by-name"), "not_found");
      const withTicket = await create({ name: "ticketed" });
      await using agent = await agentOf(withTicket);
      await agent.next();
      await api.endSession(withTicket.id);
      await api.endSession(withTicket.id);
      assert.equal((await agent.next()).type, "ended");
      await agent.closing();
    });

    test("a session ends by itself when its time is over", async () => {
      const { link, create } = await newRelay();
      await using _link = link;
      const session = await create({ ttlSeconds: 2 });
      assert.equal(Date.parse(session.expiresAt ?? "") - Date.parse(session.createdAt), 2_000);
      await using agent = await agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.ok(
        (placed.placements[0]?.ticketExpires ?? 0) <= Math.ceil(Date.parse(session.expiresAt ?? "") / 1_000),
        "no ticket outlives it",
      );
      const ended = await agent.next();
      assert.deepEqual(ended, { type: "ended", reason: "its time is over" });
    });

    test("a wanted port is given, refused while another session has it, and must be in the relay's range", async () => {
      const { region, link, create } = await newRelay();
      await using _link = link;
      assert.equal((await create({ name: "wants", port: 20_007 })).address, "relay.test:20007");
      await refuses(api.createSession({ target, region, name: "wants-too", port: 20_007 }), "port_taken");
      await refuses(api.createSession({ target, region, name: "outside", port: 30_000 }), "port_unavailable");
      await refuses(api.getSession("wants-too"), "not_found");
      assert.equal(
        (await create({ name: "wants", port: 20_008 })).address,
        "relay.test:20008",
        "the same session moves on request",
      );
    });

    test("a relay without free ports takes no further session", async () => {
      const { region, link, create } = await newRelay({ ports: { from: 20_000, to: 20_001 } });
      await using _link = link;
      await create({ name: "one" });
      await create({ name: "two" });
      await refuses(api.createSession({ target, region, name: "three" }), "full");
      await refuses(api.createSession({ target, region: "nowhere", name: "three" }), "no_relay");
    });

    test("a port on which the relay cannot listen is exchanged, unless the user fixed it", async () => {
      const { id, link, create } = await newRelay();
      await using _link = link;
      const session = await create({ name: "any-port" });
      await using agent = await agentOf(session);
      await agent.next();
      agent.send(
        JSON.stringify({ type: "refused", relay: id, clientPort: 20_000, code: "port_unavailable" }),
      );
      const placed = await agent.next();
      assert.ok(placed.type === "placed" && placed.placements[0]?.clientPort === 20_001);
      assert.equal((await api.getSession(session.id)).address, "relay.test:20001");
      const fixed = await create({ name: "fixed-port", port: 20_005 });
      await using fixedAgent = await agentOf(fixed);
      await fixedAgent.next();
      fixedAgent.send(
        JSON.stringify({ type: "refused", relay: id, clientPort: 20_005, code: "port_unavailable" }),
      );
      const ended = await fixedAgent.next();
      assert.ok(ended.type === "ended" && ended.reason.includes("20005"), "the reason names the port");
    });

    test("a full relay hands its session to another one of the region", async () => {
      const { id, region, link, create } = await newRelay();
      await using _link = link;
      const session = await create();
      await using agent = await agentOf(session);
      await agent.next();
      await using _other = await startRelay(url(), "r_otherother", adminToken, {
        region,
        host: "other.test",
      });
      await shows(async () => (await api.listRelays()).some((one) => one.id === "r_otherother"));
      agent.send(JSON.stringify({ type: "refused", relay: id, clientPort: 20_000, code: "full" }));
      const placed = await agent.next();
      assert.ok(placed.type === "placed" && placed.placements[0]?.relay === "r_otherother");
      assert.equal((await api.getSession(session.id)).address, "other.test:20000");
    });

    test("agents are told to dial when their relay is back, and where it is when it moved", async () => {
      const { id, region, link, create } = await newRelay();
      const session = await create();
      await using agent = await agentOf(session);
      await agent.next();
      link.kill();
      const again = await startRelay(url(), id, adminToken, { region });
      const dial = await agent.next();
      assert.ok(dial.type === "dial" && dial.relay === id && dial.withinMs >= 1_000);
      again.kill();
      await using _moved = await startRelay(url(), id, adminToken, {
        region,
        host: "moved.test",
        sharedPort: 9_999,
      });
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.equal(placed.placements[0]?.host, "moved.test");
      assert.equal(placed.placements[0]?.sharedPort, 9_999);
      assert.equal((await api.getSession(session.id)).address, "moved.test:20000");
    });

    test("a relay that was away learns at its next hello which sessions ended meanwhile", async () => {
      const { id, region, link, create } = await newRelay();
      const session = await create();
      await using agent = await agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      link.kill();
      await api.endSession(session.id);
      await using back = await connectLink(url(), id, adminToken);
      back.send(
        JSON.stringify({
          type: "hello",
          region,
          host: "relay.test",
          sharedPort: 8788,
          ports: { from: 20_000, to: 20_009 },
          version: "1",
        }),
      );
      const welcome = await back.next();
      assert.ok(welcome.type === "welcome");
      assert.deepEqual(welcome.ended, [{ session: session.id, until: placed.placements[0]?.ticketExpires }]);
    });

    test("another account finds nothing of a session, whatever it knows", async () => {
      const { id, link, create } = await newRelay();
      await using _link = link;
      const session = await create({ name: "secret" });
      const bob = createApi({ url: url(), token: bobToken });
      assert.deepEqual(await bob.listSessions(), []);
      await refuses(bob.getSession(session.id), "not_found");
      await refuses(bob.getSession("secret"), "not_found");
      await refuses(bob.endSession(session.id), "not_found");
      await refuses(bob.endSession("secret"), "not_found");
      await refuses(bob.listRelays(), "forbidden");
      assert.deepEqual(await refusedUpgrade(`${url()}/v1/sessions/${session.id}/agent`, bobToken), {
        status: 404,
        code: "not_found",
      });
      assert.deepEqual(await refusedUpgrade(`${url()}/v1/relays/${id}/link`, bobToken), {
        status: 403,
        code: "forbidden",
      });
      const own = await bob.createSession({ target, region: session.placements[0]?.region, name: "secret" });
      assert.notEqual(own.id, session.id, "names belong to an account");
      await bob.endSession("secret");
      assert.equal((await api.getSession("secret")).state, "waiting");
    });

    for (const [what, body, detail] of [
      ["no body", "", /not JSON/],
      ["broken JSON", "{", /not JSON/],
      ["a list", "[]", /the body/],
      ["no target", "{}", /^target: /],
      ["a port that is text", '{"target":"x","port":"22"}', /^port: /],
      ["a port that does not exist", '{"target":"x","port":65536}', /^port: /],
      ["a name that is no label", '{"target":"x","name":"Not A Name"}', /^name: a name has 1 to 63/],
      ["a range that is none", '{"target":"x","allow":["10.0.0.0/8","10.0.0.0/33"]}', /^allow\.1: /],
      ["an unknown member", '{"target":"x","ports":1}', /ports/],
      ["a time that is over before it begins", '{"target":"x","ttlSeconds":0}', /^ttlSeconds: /],
    ] as const) {
      test(`a request with ${what} is refused and the answer says where the mistake is`, async () => {
        const response = await fetch(`${url()}/v1/sessions`, {
          method: "POST",
          body,
          headers: { authorization: `Bearer ${adminToken}` },
        });
        assert.equal(response.status, 400);
        assert.equal(response.headers.get("content-type"), "application/problem+json");
        const problem = Problem.parse(await response.json());
        assert.equal(problem.code, "bad_request");
        assert.match(problem.detail, detail);
      });
    }

    test("a body that is too large is refused, whether it says so or not", async () => {
      const text = JSON.stringify({ target: "x".repeat(limits.bodyBytes) });
      const chunks = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        },
      });
      for (const body of [text, chunks]) {
        const response = await fetch(`${url()}/v1/sessions`, {
          method: "POST",
          body,
          headers: { authorization: `Bearer ${adminToken}` },
          ...{ duplex: "half" },
        });
        assert.equal(response.status, 413);
        assert.equal(Problem.parse(await response.json()).code, "too_large");
      }
    });

    test("routes that do not exist are problems too", async () => {
      for (const [method, path] of [
        ["GET", "/"],
        ["GET", "/v1/nothing"],
        ["PUT", "/v1/sessions"],
        ["POST", "/healthz"],
      ] as const) {
        const response = await fetch(url() + path, {
          method,
          headers: { authorization: `Bearer ${adminToken}` },
        });
        assert.equal(response.status, 404, `${method} ${path}`);
        assert.equal(Problem.parse(await response.json()).code, "not_found");
        assert.ok(response.headers.get("x-request-id"));
      }
      await refuses(api.getSession("../relays"), "not_found");
      assert.deepEqual(await refusedUpgrade(`${url()}/v1/nothing`, adminToken), {
        status: 404,
        code: "not_found",
      });
      assert.deepEqual(await refusedUpgrade(`${url()}/v1/sessions/s_short/agent`, adminToken), {
        status: 404,
        code: "not_found",
      });
      assert.deepEqual(await refusedUpgrade(`${url()}/v1/relays/r_x/link`, adminToken), {
        status: 400,
        code: "bad_request",
      });
    });

    test("a plain request to a WebSocket's address is told to upgrade", async () => {
      const { id, link, create } = await newRelay();
      await using _link = link;
      const session = await create();
      for (const path of [`/v1/sessions/${session.id}/agent`, `/v1/relays/${id}/link`]) {
        const response = await fetch(url() + path, { headers: { authorization: `Bearer ${adminToken}` } });
        assert.equal(response.status, 426);
        assert.equal(Problem.parse(await response.json()).code, "upgrade_required");
      }
    });

    for (const [what, message, code] of [
      ["text that is no signal", "hello?", 1_008],
      ["an unknown signal", '{"type":"sudo"}', 1_008],
      ["a binary message", Buffer.from('{"type":"renew"}'), 1_003],
      [
        "a signal that is too large",
        JSON.stringify({ type: "renew", more: "x".repeat(limits.signalBytes) }),
        1_009,
      ],
    ] as const) {
      test(`${what} closes the connection that sent it, and nothing else`, async () => {
        const { link, create } = await newRelay();
        await using _link = link;
        const session = await create();
        await using agent = await agentOf(session);
        await agent.next();
        agent.send(message);
        assert.equal((await agent.closed).code, code);
        await using again = await agentOf(session);
        assert.equal((await again.next()).type, "placed");
        link.send(message);
        assert.equal((await link.closed).code, code);
      });
    }

    test("a relay with an impossible port range is refused", async () => {
      await using link = await connectLink(url(), "r_badports", adminToken);
      link.send(
        JSON.stringify({
          type: "hello",
          region: "x",
          host: "h",
          sharedPort: 1,
          ports: { from: 2_000, to: 1_000 },
          version: "1",
        }),
      );
      assert.equal((await link.closed).code, 1_008);
    });

    test("what was answered is still there after a restart", async () => {
      const { id, region, link, create } = await newRelay();
      const session = await create({ name: "durable", ttlSeconds: 3_600 });
      const agent = await agentOf(session);
      await agent.next();
      await control.restart();
      await Promise.all([link.closed, agent.closed]);
      api = createApi({ url: url(), token: adminToken });
      const again = await api.getSession("durable");
      assert.equal(again.id, session.id);
      assert.equal(again.epoch, 1);
      assert.equal(again.expiresAt, session.expiresAt);
      assert.ok((await api.listSessions()).some((one) => one.id === session.id));
      await using back = await agentOf(again);
      const placed = await back.next();
      assert.ok(placed.type === "placed" && placed.epoch === 2);
      await using _link = await startRelay(url(), id, adminToken, { region });
      assert.equal(
        (await create({ name: "after" })).address,
        "relay.test:20001",
        "the lease is still there too",
      );
    });
  });

  test(
    `on ${hostName} a control plane without secrets answers nothing but healthz`,
    { timeout: 60_000 },
    async () => {
      const { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH } = await createSecrets();
      for (const secrets of [
        {},
        { RDV_SIGNING_KEY },
        { RDV_ADMIN_KEY_HASH },
        { RDV_SIGNING_KEY: "{}", RDV_ADMIN_KEY_HASH },
      ]) {
        await using control = await start(secrets);
        const headers = { authorization: `Bearer ${adminToken}` };
        assert.equal((await fetch(`${control.url()}/healthz`)).status, 200);
        for (const path of ["/v1/jwks", "/v1/sessions", "/v1/relays", "/v1/relays/r_00000001/link"]) {
          const response = await fetch(control.url() + path, { headers });
          assert.equal(response.status, 503, path);
          assert.equal(Problem.parse(await response.json()).code, "not_configured");
        }
      }
    },
  );
}

/** Asks until the control plane shows what is expected of it. */
async function shows<T>(check: () => Promise<T | false | undefined>): Promise<T> {
  return await until(patience, "the control plane shows it", async () => (await check()) || undefined);
}

/** Repeats a call while it is refused with `code`: a relay's hello reaches its region a moment after the welcome. */
async function eventually<T>(call: () => Promise<T>, code: ErrorCode): Promise<T> {
  return await until(patience, "a relay is there", async () => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof RdvError && error.code === code) return undefined;
      throw error;
    }
  });
}

async function refuses(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(call, (error) => error instanceof RdvError && error.code === code);
}
