import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "../../../protocol/limits.ts";
import { createTicketVerifier } from "../../../protocol/tickets.ts";
import type { Ticket } from "../../../protocol/tickets.ts";
import { adminToken } from "../control-under-test.ts";
import { connectPeer, refusedUpgrade } from "../peers.ts";
import { SessionSignal } from "../../../protocol/signals.ts";
import type { Peer } from "../peers.ts";
import { refuses, shows } from "./rig.ts";
import type { Rig } from "./rig.ts";

const fingerprint = "f".repeat(43);
const thumbprint = "t".repeat(43);

/** What clients of the owner get, and what agents say of themselves when they attach. */
export function describeClientTickets(rig: Rig): void {
  describe("client tickets", () => {
    const verify = async (relay: string, token: string): Promise<Ticket> =>
      await createTicketVerifier(await rig.api().jwks(), relay, Date.now)(token);
    const attach = async (session: string, query: string): Promise<Peer<SessionSignal>> =>
      await connectPeer(SessionSignal, `${rig.url()}/v1/sessions/${session}/agent${query}`, adminToken);

    test("a client gets a ticket for each place of a session, by id or by name, with or without an agent", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      for (const hidden of [true, false]) {
        const terms = { allow: ["192.0.2.0/24"], pairs: 3, private: hidden };
        const session = await create({ name: `for-clients-${hidden}`, ...terms });
        for (const idOrName of [session.id, session.name]) {
          const tickets = await rig.api().requestTickets(idOrName);
          assert.deepEqual([tickets.session, tickets.name], [session.id, session.name]);
          assert.equal(tickets.agentKey, null);
          const [first, ...others] = tickets.placements;
          assert.ok(first && others.length === 0);
          const { ticket: token, ticketExpires, ...placement } = first;
          assert.deepEqual([placement], session.placements);
          const { expires, revision, ...claims } = await verify(id, token);
          assert.ok(revision !== undefined);
          assert.deepEqual(claims, {
            kind: "client",
            relay: id,
            session: session.id,
            owner: "a_admin",
            name: session.name,
            clientPort: hidden ? null : session.placements[0]?.clientPort,
            epoch: 1,
            allow: ["192.0.2.0/24"],
            once: false,
            pairs: 3,
          });
          assert.equal(expires, ticketExpires);
          assert.ok(Math.abs(expires - Date.now() / 1_000 - limits.ticketSeconds) < 10);
        }
      }
    });

    test("a client's ticket is bound to the key that it names, and never outlives the session", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      const session = await create({ ttlSeconds: 60 });
      const { placements } = await rig.api().requestTickets(session.id, { proof: thumbprint });
      const ticket = await verify(id, placements[0]?.ticket ?? "");
      assert.deepEqual(ticket.cnf, { jkt: thumbprint });
      assert.ok(ticket.expires <= Math.ceil(Date.parse(session.expiresAt ?? "") / 1_000));
      await refuses(rig.api().requestTickets(session.id, { proof: "short" }), "bad_request");
    });

    test("the end of a session is remembered for as long as a client's ticket lives", async () => {
      await using relay = await rig.newRelay();
      const { link, create } = relay;
      const session = await create({ private: true });
      const { placements } = await rig.api().requestTickets(session.id);
      await rig.api().endSession(session.id);
      const ended = { session: session.id, until: placements[0]?.ticketExpires };
      assert.deepEqual(await link.next(), { type: "end", ended });
      await refuses(rig.api().requestTickets(session.id), "ended");
      await refuses(rig.api().requestTickets("never-was"), "not_found");
    });

    test("another account gets no tickets, by id or by name", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create({ name: "not-for-bob", private: true });
      const bob = rig.apiOf(rig.bobToken());
      await refuses(bob.requestTickets(session.id), "not_found");
      await refuses(bob.requestTickets(session.name), "not_found");
    });

    test("an agent says its keys when it attaches; the next one without them clears them", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      const session = await create({ private: true });
      assert.equal(session.agentKey, null);
      await using agent = await attach(session.id, `?identity=${fingerprint}&proof=${thumbprint}`);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.deepEqual((await verify(id, placed.placements[0]?.ticket ?? "")).cnf, { jkt: thumbprint });
      assert.equal((await rig.api().getSession(session.id)).agentKey, fingerprint);
      assert.equal((await rig.api().requestTickets(session.id)).agentKey, fingerprint);
      await shows(async () =>
        (await rig.api().listSessions()).some((one) => one.id === session.id && one.agentKey === fingerprint),
      );
      agent.send('{"type":"renew"}');
      const renewed = await agent.next();
      assert.ok(renewed.type === "placed");
      assert.deepEqual((await verify(id, renewed.placements[0]?.ticket ?? "")).cnf, { jkt: thumbprint });
      const client = await rig.api().requestTickets(session.id);
      assert.equal(
        (await verify(id, client.placements[0]?.ticket ?? "")).cnf,
        undefined,
        "that is the agent's",
      );
      agent.kill();
      await shows(async () => (await rig.api().getSession(session.id)).state === "waiting");
      assert.equal((await rig.api().getSession(session.id)).agentKey, fingerprint, "it may come back");
      await using next = await attach(session.id, "");
      const bare = await next.next();
      assert.ok(bare.type === "placed" && bare.epoch === 2);
      assert.equal((await verify(id, bare.placements[0]?.ticket ?? "")).cnf, undefined);
      assert.equal((await rig.api().getSession(session.id)).agentKey, null);
    });

    for (const query of ["?identity=short", `?proof=${"x".repeat(44)}`, "?identity=", "?name=x"])
      test(`an agent that attaches with ${query.slice(0, 20)} is refused`, async () => {
        await using relay = await rig.newRelay();
        const session = await relay.create();
        const url = `${rig.url()}/v1/sessions/${session.id}/agent${query}`;
        assert.deepEqual(await refusedUpgrade(url, adminToken), { status: 400, code: "bad_request" });
        assert.equal((await rig.api().getSession(session.id)).epoch, 0, "nobody was replaced by it");
      });
  });
}
