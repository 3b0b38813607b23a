import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adminToken } from "../control-under-test.ts";
import { startRelay } from "../peers.ts";
import { refuses, shows, target } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Several relays: placement by latency, one port on two, drain, removal, reconciliation. */
export function describeFleet(rig: Rig): void {
  describe("fleet", () => {
    test("a drained relay's session moves, and the old relay is told to let go when the new one serves", async () => {
      await using relay = await rig.newRelay();
      const { id, region, link, create } = relay;
      const session = await create();
      await using agent = await rig.agentOf(session);
      await agent.next();
      const { others: none } = await rig.api().drainRelay(id);
      assert.ok(none >= 0);
      await using other = await startRelay(rig.url(), `${id}b`, adminToken, { region, host: "other.test" });
      const drained = await rig.api().drainRelay(id);
      assert.equal(drained.relay.state, "draining");
      assert.ok(drained.others > 0);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.deepEqual(
        placed.placements.map(({ relay: at }) => at),
        [`${id}b`],
      );
      await refuses(rig.api().removeRelay(id), "relay_busy");
      agent.send(JSON.stringify({ type: "up", relay: `${id}b` }));
      assert.deepEqual(await link.next(), { type: "leave", session: session.id });
      await refuses(rig.api().removeRelay(`${id}b`), "relay_busy");
      await shows(async () => {
        await rig.api().removeRelay(id);
        return true;
      });
      assert.deepEqual(await link.next(), { type: "removed" });
      assert.ok(!(await rig.api().listRelays()).some((one) => one.id === id));
      await refuses(rig.api().removeRelay(id), "not_found");
      await other[Symbol.asyncDispose]();
    });

    test("a session on two relays has one port on both, and on different hosts", async () => {
      await using relay = await rig.newRelay({ host: "one.test" });
      const { id, region, create } = relay;
      await create({ name: "first" });
      await using _twin = await startRelay(rig.url(), `${id}c`, adminToken, { region, host: "one.test" });
      await using _other = await startRelay(rig.url(), `${id}d`, adminToken, { region, host: "two.test" });
      const session = await create({ name: "twice", relays: 2 });
      assert.deepEqual(session.placements.map(({ host }) => host).sort(), ["one.test", "two.test"]);
      assert.equal(new Set(session.placements.map(({ clientPort }) => clientPort)).size, 1);
      await using agent = await rig.agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.equal(new Set(placed.placements.map(({ ticket }) => ticket)).size, 2, "a ticket for each relay");
    });

    test("the nearest region is taken, and candidates are told to those who may create sessions", async () => {
      await using near = await rig.newRelay();
      await using far = await rig.newRelay();
      const latencies = [
        { region: far.region, ms: 90 },
        { region: near.region, ms: 9 },
      ];
      const session = await rig.api().createSession({ target, name: "nearby", latencies });
      assert.equal(session.placements[0]?.region, near.region);
      const candidates = await rig.api().relayCandidates();
      assert.ok(candidates.some((one) => one.id === near.id));
      assert.ok(
        candidates.every((one) => Object.keys(one).sort().join() === "host,id,region,sharedPort,tls"),
      );
    });

    test("a relay that serves what it has no lease for is told what became of it", async () => {
      await using relay = await rig.newRelay();
      const { link, create } = relay;
      const session = await create();
      const unknown = `s_${"z".repeat(26)}`;
      const listed = (id: string, port: number): object => ({
        session: id,
        owner: "a_admin",
        port,
        epoch: 1,
      });
      const sessions = [listed(session.id, 20_000), listed(unknown, 20_001)];
      link.send(JSON.stringify({ type: "sessions", sessions }));
      const told = await link.next();
      assert.ok(told.type === "end" && told.ended.session === unknown, "and nothing about its own session");
    });
  });
}
