import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { createConnector } from "../../agent/connect/connector.ts";
import { createRelayPath } from "../../agent/connect/relay-path.ts";
import { createTicketSource } from "../../agent/connect/ticket-source.ts";
import type { TicketSource } from "../../agent/connect/ticket-source.ts";
import { createTrust } from "../../agent/connect/trust.ts";
import type { Trust } from "../../agent/connect/trust.ts";
import { silentLog } from "../../net/log.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import type { ClientTickets } from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import { startLocalEcho } from "../agent/local-service.ts";
import { startPlace } from "../agent/place.ts";
import type { Place } from "../agent/place.ts";
import { expose } from "../agent/watched-exposure.ts";

let place: Place;
before(async () => void (place = await startPlace()));
after(async () => await place[Symbol.asyncDispose]());

const identity = createIdentity();
const noKnown = { get: () => undefined, remember: () => {} };
const trustIn = (pinned: string | undefined): Trust =>
  createTrust({ session: "desk", pinned, known: noKnown, onFirstSight: () => {} });

async function startDesk(name: string) {
  await using held = new AsyncDisposableStack();
  const echo = held.use(await startLocalEcho());
  const request = { target: "echo", name, private: true };
  const run = held.use(await expose(place, echo.port, { identity, request }));
  await run.saw("ready");
  const stack = held.move();
  return { run, echo, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

function connectorOf(source: TicketSource, patienceMs?: number) {
  const openPath = createRelayPath({ identity: createIdentity() });
  const patience = patienceMs === undefined ? {} : { patienceMs };
  const trust = trustIn(identity.fingerprint);
  return createConnector({ source, trust, openPath, log: silentLog, random: () => 0, ...patience });
}

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

async function echoes(socket: Socket): Promise<void> {
  socket.write("hello");
  const [said] = (await once(socket, "data")) as [Buffer];
  assert.equal(said.toString(), "hello");
  socket.end();
  await once(socket, "end");
}

test("tickets at hand open connections while the control plane is away", async () => {
  await using _desk = await startDesk("away");
  using source = createTicketSource({ api: place.api, session: "away", request: {}, log: silentLog });
  const connector = connectorOf(source);
  await echoes((await connector.open(soon())).socket);
  await place.stopControl();
  try {
    const held = await source.current(soon());
    assert.equal(await source.renewed(held, soon()), held);
    await echoes((await connector.open(soon())).socket);
  } finally {
    await place.startControl();
  }
});

test("tickets that a relay refuses are renewed, and the connection comes", async () => {
  await using _desk = await startDesk("stale");
  let asked = 0;
  const api = {
    async requestTickets(name: string): Promise<ClientTickets> {
      asked += 1;
      const tickets = await place.api.requestTickets(name);
      // The first ones are another session's as far as the relay can tell: their signature does not fit.
      const spoil = (ticket: string): string => (asked === 1 ? `${ticket.slice(0, -8)}AAAAAAAA` : ticket);
      return {
        ...tickets,
        placements: tickets.placements.map((one) => ({ ...one, ticket: spoil(one.ticket) })),
      };
    },
  };
  using source = createTicketSource({ api, session: "stale", request: {}, log: silentLog });
  await echoes((await connectorOf(source).open(soon())).socket);
  assert.equal(asked, 2);
});

test("tickets are asked for again when they are old, and not as long as they are fresh", async () => {
  let asked = 0;
  let now = 0;
  const tickets = { session: "s", name: "n", agentKey: null, placements: [{ ticketExpires: 5_400 }] };
  const api = {
    requestTickets: async () => {
      asked += 1;
      // Only what the source looks at.
      return { ...tickets } as unknown as ClientTickets;
    },
  };
  const deps = { api, session: "n", request: {}, log: silentLog, now: () => now };
  using source = createTicketSource(deps);
  await Promise.all([source.current(soon()), source.current(soon())]);
  now = 29 * 60_000;
  await source.current(soon());
  assert.equal(asked, 1);
  now = 31 * 60_000;
  await source.current(soon());
  assert.equal(asked, 2);
});

test("every relay of a session is tried before the connection is given up", async () => {
  await using _desk = await startDesk("two");
  using source = createTicketSource({ api: place.api, session: "two", request: {}, log: silentLog });
  const tickets = await source.current(soon());
  const [real] = tickets.placements;
  assert.ok(real);
  await using gone = await startLocalEcho();
  await gone[Symbol.asyncDispose]();
  const placements = [{ ...real, relay: "r_goneaway", sharedPort: gone.port }, real];
  const openPath = createRelayPath({ identity: createIdentity() });
  const way = { tickets: { ...tickets, placements }, agentKey: identity.fingerprint };
  await echoes((await openPath(way, soon())).socket);
});

test("a session that is over is told at once; what may come back is tried for a while", async () => {
  using nowhere = createTicketSource({ api: place.api, session: "nowhere", request: {}, log: silentLog });
  await assert.rejects(connectorOf(nowhere).open(soon()), { code: "not_found" });

  await using desk = await startDesk("ended");
  using source = createTicketSource({ api: place.api, session: "ended", request: {}, log: silentLog });
  await source.current(soon());
  await desk.run.exposure[Symbol.asyncDispose]();
  await assert.rejects(connectorOf(source).open(soon()), (error: unknown) => {
    assert.ok(error instanceof RdvError);
    return error.code === "ended" || error.code === "not_found";
  });

  let attempts = 0;
  const tickets = { placements: [{ ticketExpires: Infinity }], agentKey: "k", name: "n" };
  const api = { requestTickets: async () => ({ ...tickets }) as unknown as ClientTickets }; // only what is looked at
  using any = createTicketSource({ api, session: "n", request: {}, log: silentLog });
  const connector = createConnector({
    source: any,
    trust: undefined,
    openPath: async () => await Promise.reject(new Error("not reached")),
    log: silentLog,
  });
  await assert.rejects(connector.open(soon()), { code: "unsupported" }, "one end alone without encryption");
  const patient = createConnector({
    source: any,
    trust: trustIn("k"),
    openPath: async () => {
      attempts += 1;
      return await Promise.reject(new RdvError(attempts < 3 ? "no_agent" : "forbidden"));
    },
    log: silentLog,
    random: () => 0,
  });
  await assert.rejects(patient.open(soon()), { code: "forbidden" });
  assert.equal(attempts, 3);
});

test("an agent is trusted by the key that was named, else by the known one, else at first sight", () => {
  const tickets = (agentKey: string | null) => ({ name: "renamed", agentKey });
  const known = new Map<string, string>();
  const seen: string[] = [];
  const trust = (pinned?: string): Trust =>
    createTrust({
      session: "desk",
      pinned,
      known: { get: (name) => known.get(name), remember: (name, key) => void known.set(name, key) },
      onFirstSight: (_name, key) => void seen.push(key),
    });
  assert.throws(() => trust().expected(tickets(null)), { code: "unsupported" });
  assert.equal(trust().expected(tickets("one")), "one");
  assert.equal(known.size, 0, "nothing is remembered before it is proven");
  trust().proven("one");
  assert.deepEqual(seen, ["one"]);
  assert.throws(() => trust().expected(tickets("two")), { code: "untrusted" });
  assert.throws(() => trust().expected(tickets(null)), { code: "untrusted" });
  assert.throws(() => trust("three").expected(tickets("two")), { code: "untrusted" });
  assert.equal(trust("two").expected(tickets("two")), "two");
  trust("two").proven("two");
  assert.equal(trust().expected(tickets("two")), "two");
  assert.deepEqual(seen, ["one"], "a key that was named is nobody's news");
});
