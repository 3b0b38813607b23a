import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adminToken } from "../control-under-test.ts";
import { startRelay } from "../peers.ts";
import { refuses, target } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Which port a session gets, and what happens when a relay cannot serve it. */
export function describePorts(rig: Rig): void {
  describe("ports", () => {
    test("a wanted port is given, refused while another session has it, and must be in the relay's range", async () => {
      await using relay = await rig.newRelay();
      const { region, create } = relay;
      assert.equal((await create({ name: "wants", port: 20_007 })).address, "relay.test:20007");
      await refuses(
        rig.api().createSession({ target, region, name: "wants-too", port: 20_007 }),
        "port_taken",
      );
      await refuses(
        rig.api().createSession({ target, region, name: "outside", port: 30_000 }),
        "port_unavailable",
      );
      await refuses(rig.api().getSession("wants-too"), "not_found");
      assert.equal(
        (await create({ name: "wants", port: 20_008 })).address,
        "relay.test:20008",
        "the same session moves on request",
      );
    });

    test("a relay without free ports takes no further session", async () => {
      await using relay = await rig.newRelay({ ports: { from: 20_000, to: 20_001 } });
      const { region, create } = relay;
      await create({ name: "one" });
      await create({ name: "two" });
      await refuses(rig.api().createSession({ target, region, name: "three" }), "full");
      await refuses(rig.api().createSession({ target, region: "nowhere", name: "three" }), "no_relay");
    });

    test("a port on which the relay cannot listen is exchanged, unless the user fixed it", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      const session = await create({ name: "any-port" });
      await using agent = await rig.agentOf(session);
      await agent.next();
      agent.send(
        JSON.stringify({ type: "refused", relay: id, clientPort: 20_000, code: "port_unavailable" }),
      );
      const placed = await agent.next();
      assert.ok(placed.type === "placed" && placed.placements[0]?.clientPort === 20_001);
      assert.equal((await rig.api().getSession(session.id)).address, "relay.test:20001");
      const fixed = await create({ name: "fixed-port", port: 20_005 });
      await using fixedAgent = await rig.agentOf(fixed);
      await fixedAgent.next();
      fixedAgent.send(
        JSON.stringify({ type: "refused", relay: id, clientPort: 20_005, code: "port_unavailable" }),
      );
      const ended = await fixedAgent.next();
      assert.ok(ended.type === "ended" && ended.reason.includes("20005"), "the reason names the port");
    });

    test("a full relay hands its session to another one of the region", async () => {
      await using relay = await rig.newRelay();
      const { id, region, create } = relay;
      const session = await create();
      await using agent = await rig.agentOf(session);
      await agent.next();
      await using _other = await startRelay(rig.url(), "r_otherother", adminToken, {
        region,
        host: "other.test",
      });
      agent.send(JSON.stringify({ type: "refused", relay: id, clientPort: 20_000, code: "full" }));
      const placed = await agent.next();
      assert.ok(placed.type === "placed" && placed.placements[0]?.relay === "r_otherother");
      assert.equal((await rig.api().getSession(session.id)).address, "other.test:20000");
    });
  });
}
