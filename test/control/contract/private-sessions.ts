import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Placement } from "../../../protocol/api.ts";
import type { LinkSignal } from "../../../protocol/signals.ts";
import { createTicketVerifier } from "../../../protocol/tickets.ts";
import { adminToken } from "../control-under-test.ts";
import { startRelay } from "../peers.ts";
import type { Peer } from "../peers.ts";
import { refuses, shows } from "./rig.ts";
import type { Rig } from "./rig.ts";

const noLoad = { pairs: 0, sessions: 0, bytesPerSecond: 0, descriptors: 10, maxDescriptors: 1_000, lagMs: 0 };

/** Sessions without a public port: where they are, and how they follow their relays. */
export function describePrivateSessions(rig: Rig): void {
  describe("private sessions", () => {
    /** The list shows what it was when the relay reported its load. */
    const leasesOf = async (relay: string, link: Peer<LinkSignal>): Promise<number | undefined> => {
      link.send(JSON.stringify({ type: "load", load: noLoad }));
      return (await rig.api().listRelays()).find(({ id }) => id === relay)?.leases;
    };
    const ports = (placements: readonly Placement[]) => placements.map(({ clientPort }) => clientPort);

    test("a private session has a place, a lease and no port; its address is its name", async () => {
      await using relay = await rig.newRelay({ ports: { from: 20_000, to: 20_000 } });
      const { id, link, create } = relay;
      const session = await create({ name: "hidden", private: true });
      assert.equal(session.private, true);
      assert.equal(session.address, "hidden");
      assert.deepEqual(ports(session.placements), [null]);
      assert.equal((await create({ name: "hidden-too", private: true })).private, true);
      assert.equal((await create({ name: "public" })).address, "relay.test:20000", "the only port is free");
      await shows(async () => (await leasesOf(id, link)) === 3);
      await using agent = await rig.agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed" && placed.placements[0]?.clientPort === null);
      const keys = await rig.api().jwks();
      const ticket = await createTicketVerifier(keys, id, Date.now)(placed.placements[0].ticket);
      assert.equal(ticket.clientPort, null);
      await rig.api().endSession("hidden-too");
      await shows(async () => (await leasesOf(id, link)) === 2);
    });

    test("a session is private or has a wanted port, not both", async () => {
      await using relay = await rig.newRelay();
      await refuses(relay.create({ private: true, port: 20_001 }), "bad_request");
    });

    test("a session that is asked for again as the other kind gives its port back, or gets one", async () => {
      await using relay = await rig.newRelay();
      const { id, link, create } = relay;
      const session = await create({ name: "turncoat" });
      await using agent = await rig.agentOf(session);
      await agent.next();
      const hidden = await create({ name: "turncoat", private: true });
      assert.deepEqual([hidden.id, hidden.address, hidden.private], [session.id, "turncoat", true]);
      const policy = await link.next();
      assert.ok(policy.type === "policy");
      const verify = createTicketVerifier(await rig.api().jwks(), id, Date.now);
      assert.equal((await verify(policy.ticket)).clientPort, null, "the relay closes the port at once");
      const placed = await agent.next();
      assert.ok(placed.type === "placed" && placed.placements[0]?.clientPort === null);
      assert.equal((await create({ name: "other" })).address, "relay.test:20001", "20000 rests");
      const shown = await create({ name: "turncoat" });
      assert.deepEqual([shown.id, shown.address], [session.id, "relay.test:20000"]);
      const again = await agent.next();
      assert.ok(again.type === "placed" && again.placements[0]?.clientPort === 20_000);
      await shows(async () => (await leasesOf(id, link)) === 2);
    });

    test("on two relays it has a place at both; as a public one it has one port at both", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      await using _other = await startRelay(rig.url(), `r_second${region.replace("-", "")}`, adminToken, {
        region,
        host: "other.test",
      });
      const hidden = await create({ name: "twice", private: true, relays: 2 });
      assert.deepEqual(ports(hidden.placements), [null, null]);
      const shown = await create({ name: "twice", relays: 2 });
      assert.equal(shown.placements.length, 2);
      assert.notEqual(shown.placements[0]?.clientPort, null);
      assert.equal(new Set(ports(shown.placements)).size, 1, "the same port everywhere");
      const back = await create({ name: "twice", private: true, relays: 2 });
      assert.deepEqual(ports(back.placements), [null, null]);
    });

    test("a relay that is drained hands its private sessions to another one", async () => {
      await using relay = await rig.newRelay();
      const { id, region, link, create } = relay;
      const session = await create({ name: "moving", private: true });
      await using agent = await rig.agentOf(session);
      await agent.next();
      const otherId = `r_other${region.replace("-", "")}`;
      await using other = await startRelay(rig.url(), otherId, adminToken, { region, host: "other.test" });
      await rig.api().drainRelay(id);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.deepEqual(
        placed.placements.map(({ relay: at, clientPort }) => [at, clientPort]),
        [[otherId, null]],
      );
      agent.send(JSON.stringify({ type: "up", relay: otherId }));
      assert.deepEqual(await link.next(), { type: "leave", session: session.id });
      await shows(async () => (await leasesOf(id, link)) === 0 && (await leasesOf(otherId, other)) === 1);
    });

    test("a full relay hands it on, too; that a relay cannot open its port means nothing", async () => {
      await using relay = await rig.newRelay();
      const { id, region, create } = relay;
      const session = await create({ private: true });
      await using agent = await rig.agentOf(session);
      await agent.next();
      const refused = { type: "refused", relay: id, clientPort: null };
      agent.send(JSON.stringify({ ...refused, code: "port_unavailable" }));
      const same = await agent.next();
      assert.ok(same.type === "placed" && same.placements[0]?.relay === id);
      const otherId = `r_full${region.replace("-", "")}`;
      await using _other = await startRelay(rig.url(), otherId, adminToken, { region, host: "other.test" });
      agent.send(JSON.stringify({ ...refused, code: "full" }));
      const moved = await agent.next();
      assert.ok(moved.type === "placed" && moved.placements[0]?.relay === otherId);
      assert.equal(moved.placements[0].clientPort, null);
    });

    test("what a relay says that it serves is compared: a private session that is over is ended there", async () => {
      await using relay = await rig.newRelay();
      const { link, create } = relay;
      const session = await create({ private: true });
      const listed = { owner: "a_admin", port: null, epoch: 1 };
      const gone = `s_${"b".repeat(26)}`;
      link.send(
        JSON.stringify({
          type: "sessions",
          sessions: [
            { ...listed, session: session.id },
            { ...listed, session: gone },
          ],
        }),
      );
      const told = await link.next();
      assert.ok(told.type === "end" && told.ended.session === gone, "the other one belongs here");
      assert.equal((await rig.api().getSession(session.id)).state, "waiting");
    });

    test("a relay that comes back finds its private sessions, with its new key", async () => {
      const relay = await rig.newRelay();
      const { id, region, create } = relay;
      const session = await create({ name: "returning", private: true });
      await using agent = await rig.agentOf(session);
      await agent.next();
      relay.link.kill();
      const tls = "k".repeat(43);
      await using _back = await startRelay(rig.url(), id, adminToken, { region, tls });
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.deepEqual(
        placed.placements.map((one) => [one.relay, one.clientPort, one.tls]),
        [[id, null, tls]],
      );
      assert.equal((await rig.api().listRelays()).find((one) => one.id === id)?.tls, tls);
      const candidates = await rig.api().relayCandidates();
      const candidate = candidates.find((one) => one.id === id);
      if (candidate) assert.equal(candidate.tls, tls);
    });
  });
}
