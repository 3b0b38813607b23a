import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Session } from "../../../protocol/api.ts";
import { limits } from "../../../protocol/limits.ts";
import { adminToken } from "../control-under-test.ts";
import { startRelay } from "../peers.ts";
import { refuses, shows, target } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Sessions over HTTP: create, take up again, list, end, restart. */
export function describeSessions(rig: Rig): void {
  describe("sessions", () => {
    test("sessions get the relay's ports in order and are found by id, by name and in the list", async () => {
      await using relay = await rig.newRelay();
      const { id, region, create } = relay;
      const first = await create({ name: "first" });
      const second = await create({ name: "second", target: "localhost:5900" });
      assert.equal(first.address, "relay.test:20000");
      assert.equal(second.address, "relay.test:20001");
      assert.deepEqual(first.placements, [
        { relay: id, region, host: "relay.test", sharedPort: 8788, clientPort: 20_000, tls: null },
      ]);
      assert.equal(first.state, "waiting");
      assert.equal(first.epoch, 0);
      assert.deepEqual(await rig.api().getSession(first.id), first);
      assert.deepEqual(await rig.api().getSession("first"), first);
      const listed = await rig.api().listSessions();
      assert.deepEqual(
        listed
          .filter((one) => one.placements[0]?.relay === id)
          .map((one) => one.id)
          .sort(),
        [first.id, second.id].sort(),
      );
    });

    test("creating again by name takes the session up: 201 then 200, same id and port, newest policy", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      const first = await create({ name: "again", allow: ["::ffff:192.0.2.7", "10.0.0.0/8"], pairs: 3 });
      assert.deepEqual(first.policy, { allow: ["192.0.2.7", "10.0.0.0/8"], once: false, pairs: 3 });
      const body = JSON.stringify({ target: "localhost:23", region, name: "again", once: true });
      const response = await fetch(`${rig.url()}/v1/sessions`, {
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
      await using relay = await rig.newRelay();
      const { create } = relay;
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

    test("a suggested name is taken when it is free or its agent is away, else it gets a number: each of many that ask at once has a name of its own", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      const suggest = async (): Promise<Session> =>
        await rig.api().createSession({ target, region, suggestedName: "box" });
      await create();
      const first = await suggest();
      assert.equal(first.name, "box");
      const together = await Promise.all([suggest(), suggest(), suggest()]);
      assert.deepEqual(
        together.map(({ name }) => name).sort(),
        ["box-2", "box-3", "box-4"],
        "the agents of all of them are still on their way",
      );
      const agent = await rig.agentOf(first);
      await agent.next();
      assert.equal((await suggest()).name, "box-5");
      await agent[Symbol.asyncDispose]();
      await shows(async () => (await rig.api().getSession(first.id)).state === "waiting");
      assert.equal((await suggest()).id, first.id);
    });

    test("a session is deleted by id or by name, as often as one likes", async () => {
      await using relay = await rig.newRelay();
      const { create } = relay;
      const byId = await create({ name: "by-id" });
      const byName = await create({ name: "by-name" });
      await rig.api().endSession(byId.id);
      await rig.api().endSession(byName.name);
      await refuses(rig.api().endSession(byName.name), "not_found");
      await refuses(rig.api().endSession("never-was"), "not_found");
      await refuses(rig.api().getSession("by-name"), "not_found");
      const withTicket = await create({ name: "ticketed" });
      await using agent = await rig.agentOf(withTicket);
      await agent.next();
      await rig.api().endSession(withTicket.id);
      await rig.api().endSession(withTicket.id);
      assert.equal((await agent.next()).type, "ended");
      await agent.closing();
    });

    test("a session ends by itself when its time is over", async () => {
      await using relay = await rig.newRelay();
      const { create } = relay;
      const session = await create({ ttlSeconds: 4 });
      assert.equal(Date.parse(session.expiresAt ?? "") - Date.parse(session.createdAt), 4_000);
      await using agent = await rig.agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.ok(
        (placed.placements[0]?.ticketExpires ?? 0) <= Math.ceil(Date.parse(session.expiresAt ?? "") / 1_000),
        "no ticket outlives it",
      );
      const ended = await agent.next();
      assert.deepEqual(ended, { type: "ended", reason: "its time is over" });
    });

    test("what was answered is still there after a restart", async () => {
      const { id, region, link, create } = await rig.newRelay();
      const session = await create({ name: "durable", ttlSeconds: 3_600 });
      const agent = await rig.agentOf(session);
      await agent.next();
      await rig.restart();
      await Promise.all([link.closed, agent.closed]);
      const again = await rig.api().getSession("durable");
      assert.equal(again.id, session.id);
      assert.equal(again.epoch, 1);
      assert.equal(again.expiresAt, session.expiresAt);
      assert.ok((await rig.api().listSessions()).some((one) => one.id === session.id));
      await using back = await rig.agentOf(again);
      const placed = await back.next();
      assert.ok(placed.type === "placed" && placed.epoch === 2);
      await using _link = await startRelay(rig.url(), id, adminToken, { region });
      assert.equal(
        (await create({ name: "after" })).address,
        "relay.test:20001",
        "the lease is still there too",
      );
    });
  });
}
