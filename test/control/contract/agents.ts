import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "../../../protocol/limits.ts";
import { createTicketVerifier } from "../../../protocol/tickets.ts";
import { adminToken } from "../control-under-test.ts";
import { refusedUpgrade } from "../peers.ts";
import { shows } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** An agent's control connection: tickets, epochs, goodbye, malformed signals. */
export function describeAgents(rig: Rig): void {
  describe("agents", () => {
    test("an agent is placed with a ticket that the published keys verify for that relay alone", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      const session = await create({ allow: ["192.0.2.0/24"], once: true, pairs: 2 });
      await using agent = await rig.agentOf(session);
      const placed = await agent.next();
      assert.equal(placed.type, "placed");
      const [placement] = placed.placements;
      assert.ok(placement);
      const keys = await rig.api().jwks();
      const ticket = await createTicketVerifier(keys, id, Date.now)(placement.ticket);
      const { expires, revision, ...claims } = ticket;
      assert.ok(revision !== undefined && revision > 0);
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
      const live = await rig.api().getSession(session.id);
      assert.equal(live.state, "live");
      assert.ok(live.seenAt);
    });

    test("an agent that asks for tickets again and again gets about one answer a second", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create();
      await using agent = await rig.agentOf(session);
      await agent.next();
      for (let times = 0; times < 500; times += 1) agent.send('{"type":"renew"}');
      agent.send('{"type":"ping"}');
      let answers = 0;
      while ((await agent.next()).type !== "pong") answers += 1;
      assert.ok(answers < 20, `${answers} answers to 500 requests`);
      agent.send('{"type":"renew"}');
      assert.equal((await agent.next()).type, "placed", "who asks is answered");
    });

    test("a newer agent replaces the older one, which is told and closed", async () => {
      await using relay = await rig.newRelay();
      const { create } = relay;
      const session = await create();
      await using older = await rig.agentOf(session);
      await older.next();
      assert.equal(
        (await create()).id,
        session.id,
        "an explicit name is given back even while an agent is live",
      );
      await using newer = await rig.agentOf(session);
      const placed = await newer.next();
      assert.ok(placed.type === "placed" && placed.epoch === 2);
      assert.deepEqual(await older.next(), { type: "replaced" });
      await older.closing();
      const now = await rig.api().getSession(session.id);
      assert.equal(now.state, "live", "the older agent's end is not the session's");
      assert.equal(now.epoch, 2);
    });

    test("an agent that vanished leaves the session waiting; it comes back to the same port with the next epoch", async () => {
      await using relay = await rig.newRelay();
      const { create } = relay;
      const session = await create();
      const lost = await rig.agentOf(session);
      await lost.next();
      lost.kill();
      await shows(async () => (await rig.api().getSession(session.id)).state === "waiting");
      await shows(async () =>
        (await rig.api().listSessions()).some((one) => one.id === session.id && one.state === "waiting"),
      );
      await using back = await rig.agentOf(session);
      const placed = await back.next();
      assert.ok(
        placed.type === "placed" && placed.epoch === 2 && placed.placements[0]?.clientPort === 20_000,
      );
    });

    test("bye ends the session: the relay is told, the name is free, the port rests for the same name", async () => {
      await using relay = await rig.newRelay();
      const { link, create } = relay;
      const session = await create({ name: "short" });
      await using agent = await rig.agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      agent.send('{"type":"bye"}');
      const end = await link.next();
      assert.deepEqual(end, {
        type: "end",
        ended: { session: session.id, until: placed.placements[0]?.ticketExpires },
      });
      assert.equal((await agent.next()).type, "ended");
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/sessions/${session.id}/agent`, adminToken), {
        status: 410,
        code: "ended",
      });
      assert.equal((await rig.api().getSession(session.id)).state, "ended");
      await shows(async () => !(await rig.api().listSessions()).some((one) => one.id === session.id));
      assert.equal((await create({ name: "other" })).address, "relay.test:20001", "20000 rests");
      const again = await create({ name: "short" });
      assert.notEqual(again.id, session.id);
      assert.equal(again.address, "relay.test:20000");
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
        await using relay = await rig.newRelay();
        const { link, create } = relay;
        const session = await create();
        await using agent = await rig.agentOf(session);
        await agent.next();
        agent.send(message);
        assert.equal((await agent.closed).code, code);
        await using again = await rig.agentOf(session);
        assert.equal((await again.next()).type, "placed");
        link.send(message);
        assert.equal((await link.closed).code, code);
      });
    }
  });
}
