import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adminToken } from "../control-under-test.ts";
import { connectLink, startRelay } from "../peers.ts";
import { shows } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** A relay's control link: hello, load, absence and return. */
export function describeRelays(rig: Rig): void {
  describe("relays", () => {
    test("a relay that says hello is welcomed with the keys and listed", async () => {
      await using relay = await rig.newRelay();
      const { id, region, link } = relay;
      await using second = await connectLink(rig.url(), id, adminToken);
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
      assert.deepEqual(welcome, { type: "welcome", jwks: await rig.api().jwks(), ended: [] });
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
      const listed = await shows(async () =>
        (await rig.api().listRelays()).find((one) => one.id === id && one.load !== null),
      );
      assert.equal(listed.host, "2001:db8::1");
      assert.equal(listed.state, "up");
      assert.deepEqual(listed.load, load);
    });

    test("agents are told to dial when their relay is back, and where it is when it moved", async () => {
      const { id, region, link, create } = await rig.newRelay();
      const session = await create();
      await using agent = await rig.agentOf(session);
      await agent.next();
      link.kill();
      const again = await startRelay(rig.url(), id, adminToken, { region });
      const dial = await agent.next();
      assert.ok(dial.type === "dial" && dial.relay === id && dial.withinMs >= 1_000);
      again.kill();
      await using _moved = await startRelay(rig.url(), id, adminToken, {
        region,
        host: "moved.test",
        sharedPort: 9_999,
      });
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      assert.equal(placed.placements[0]?.host, "moved.test");
      assert.equal(placed.placements[0]?.sharedPort, 9_999);
      assert.equal((await rig.api().getSession(session.id)).address, "moved.test:20000");
    });

    test("a relay that was away learns at its next hello which sessions ended meanwhile", async () => {
      const { id, region, link, create } = await rig.newRelay();
      const session = await create();
      await using agent = await rig.agentOf(session);
      const placed = await agent.next();
      assert.ok(placed.type === "placed");
      link.kill();
      await rig.api().endSession(session.id);
      await using back = await connectLink(rig.url(), id, adminToken);
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

    test("a relay with an impossible port range is refused", async () => {
      await using link = await connectLink(rig.url(), "r_badports", adminToken);
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
  });
}
