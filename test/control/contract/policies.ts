import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "../../../protocol/limits.ts";
import type { SessionSignal } from "../../../protocol/signals.ts";
import type { Ticket } from "../../../protocol/tickets.ts";
import { createTicketVerifier } from "../../../protocol/tickets.ts";
import { adminToken } from "../control-under-test.ts";
import { refuses, shows } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Changing a session's policy while it lives. */
export function describePolicies(rig: Rig): void {
  const verify = async (relay: string, token: string): Promise<Ticket> =>
    await createTicketVerifier(await rig.api().jwks(), relay, Date.now)(token);
  const ticketIn = (signal: SessionSignal): string => {
    assert.ok(signal.type === "placed");
    return signal.placements[0]?.ticket ?? "";
  };

  describe("policies", () => {
    test("a change reaches the agent's ticket and the relay, and names only what changed", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create({ pairs: 3, bytes: 1_000 });
      await using agent = await rig.agentOf(session);
      const before = await verify(relay.id, ticketIn(await agent.next()));
      const changed = await rig.api().updateSession(session.name, {
        allow: ["::FFFF:192.0.2.7", "2001:DB8::/32", "192.0.2.7"],
        connectsPerSecond: 5,
        bytes: null,
      });
      const policy = { allow: ["192.0.2.7", "2001:db8::/32"], once: false, pairs: 3, connectsPerSecond: 5 };
      assert.deepEqual(changed.policy, policy);
      const signal = await relay.link.next();
      assert.ok(signal.type === "policy");
      const {
        kind,
        epoch,
        allow,
        pairs,
        connectsPerSecond,
        bytes,
        revision = 0,
      } = await verify(relay.id, signal.ticket);
      assert.deepEqual(
        [kind, epoch, allow, pairs, connectsPerSecond, bytes],
        ["agent", 1, policy.allow, 3, 5, undefined],
      );
      assert.ok(revision > (before.revision ?? 0), "newer than the ticket that the relay knows");
      assert.deepEqual((await verify(relay.id, ticketIn(await agent.next()))).allow, policy.allow);
      assert.deepEqual((await rig.api().getSession(session.id)).policy, policy);
      await shows(async () =>
        (await rig.api().listSessions()).some(
          (one) => one.id === session.id && one.policy.connectsPerSecond === 5,
        ),
      );
    });

    test("an agent that starts again does not undo a change of which it says nothing", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create({ pairs: 3, ttlSeconds: 3_600 });
      const changed = await rig
        .api()
        .updateSession(session.id, { allow: ["192.0.2.1"], ttlSeconds: null, bytes: 9 });
      const again = await relay.create({ pairs: 4, ttlSeconds: 60 });
      assert.deepEqual(again.policy, { allow: ["192.0.2.1"], once: false, pairs: 4, bytes: 9 });
      assert.notEqual(again.expiresAt, changed.expiresAt, "what it does say holds");
      const open = await relay.create({ allow: [] });
      assert.deepEqual(open.policy, { allow: [], once: false, pairs: limits.pairsPerSession, bytes: 9 });
      assert.deepEqual((await relay.create()).policy, open.policy);
    });

    test("a shorter time ends the session, no time lets it live", async () => {
      await using relay = await rig.newRelay();
      const endless = await relay.create({ name: "endless", ttlSeconds: 3 });
      assert.equal((await rig.api().updateSession("endless", { ttlSeconds: null })).expiresAt, null);
      const short = await relay.create({ name: "shortened", ttlSeconds: 3_600 });
      await using agent = await rig.agentOf(short);
      await agent.next();
      // Not sooner than the first one would have ended.
      await rig.api().updateSession("shortened", { ttlSeconds: 4 });
      let signal = await agent.next();
      while (signal.type === "placed") signal = await agent.next();
      assert.deepEqual(signal, { type: "ended", reason: "its time is over" });
      assert.equal((await rig.api().getSession(endless.id)).state, "waiting");
    });

    test("what is no change of a policy is refused, and so is a session that is over", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create();
      for (const body of ['{"target":"x"}', '{"pairs":0}', '{"allow":["nobody"]}', '{"pairs":null}', "[]"]) {
        const response = await fetch(`${rig.url()}/v1/sessions/${session.id}`, {
          method: "PATCH",
          body,
          headers: { authorization: `Bearer ${adminToken}` },
        });
        assert.equal(response.status, 400, body);
      }
      assert.deepEqual(await rig.api().updateSession(session.id, {}), session);
      await refuses(rig.api().updateSession("never-was", { pairs: 1 }), "not_found");
      await using agent = await rig.agentOf(session);
      await agent.next();
      await rig.api().endSession(session.id);
      await refuses(rig.api().updateSession(session.id, { pairs: 1 }), "ended");
    });

    test("a relay that says that the bytes are used up ends what it carries, and nothing else", async () => {
      await using relay = await rig.newRelay();
      await using other = await rig.newRelay();
      const session = await relay.create({ bytes: 10 });
      await using agent = await rig.agentOf(session);
      await agent.next();
      const spent = JSON.stringify({ type: "spent", session: session.id, owner: "a_admin" });
      other.link.send(spent);
      other.link.send('{"type":"ping"}');
      assert.deepEqual(await other.link.next(), { type: "pong" });
      assert.equal((await rig.api().getSession(session.id)).state, "live");
      relay.link.send(spent);
      assert.deepEqual(await agent.next(), { type: "ended", reason: "its byte budget is used up" });
    });
  });
}
