import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adminToken } from "../control-under-test.ts";
import { connectLink, refusedUpgrade, startRelay } from "../peers.ts";
import { refuses } from "./rig.ts";
import type { Rig } from "./rig.ts";

const tls = "t".repeat(43);
const otherTls = "u".repeat(43);

/** A relay's id belongs to the key, and the TLS key, with which it first came. */
export function describeRelayKeys(rig: Rig): void {
  describe("relay keys", () => {
    const forbidden = { status: 403, code: "forbidden" };
    const linkOf = (id: string): string => `${rig.url()}/v1/relays/${id}/link`;
    const relayKey = async (bounds: { relay?: string; region?: string } = {}) =>
      await rig.api().createKey({ scopes: ["relays"], ...bounds });

    test("another relay's key takes neither the id, nor the link, nor the sessions", async () => {
      await using relay = await rig.newRelay({ tls });
      const session = await relay.create();
      const { token } = await relayKey();
      assert.deepEqual(await refusedUpgrade(linkOf(relay.id), token), forbidden);
      relay.link.send('{"type":"ping"}');
      assert.deepEqual(await relay.link.next(), { type: "pong" }, "its own link stays");
      relay.link.kill();
      assert.deepEqual(await refusedUpgrade(linkOf(relay.id), token), forbidden, "nor while it is away");
      assert.equal((await rig.api().getSession(session.id)).placements[0]?.tls, tls);
    });

    test("the same key with another TLS key, or without, is refused, and its older link stays", async () => {
      await using relay = await rig.newRelay({ tls });
      const { id, region, link } = relay;
      for (const wrong of [otherTls, null]) {
        await using rogue = await connectLink(rig.url(), id, adminToken);
        rogue.send(JSON.stringify({ ...hello(region), tls: wrong }));
        const refused = await rogue.next();
        assert.ok(refused.type === "refused" && /rekey/.test(refused.detail));
        await rogue.closing();
      }
      link.send('{"type":"ping"}');
      assert.deepEqual(await link.next(), { type: "pong" });
      await rig.api().rekeyRelay(id);
      await using again = await startRelay(rig.url(), id, adminToken, { region, tls: otherTls });
      await link.closing();
      again.send('{"type":"ping"}');
      assert.deepEqual(await again.next(), { type: "pong" });
    });

    test("the operator gives an id to another key, and the first one is refused from then on", async () => {
      const [first, second] = [await relayKey(), await relayKey()];
      const id = "r_rekeyed0001";
      await using link = await startRelay(rig.url(), id, first.token, { region: "rekeyed" });
      await refuses(rig.api().rekeyRelay(id, { key: `k_${"0".repeat(26)}` }), "not_found");
      await refuses(rig.api().rekeyRelay("r_never00001"), "not_found");
      await rig.api().rekeyRelay(id, { key: second.id });
      await link.closing();
      assert.deepEqual(await refusedUpgrade(linkOf(id), first.token), forbidden);
      await using _again = await startRelay(rig.url(), id, second.token, { region: "rekeyed" });
    });

    test("a key for one relay and region brings no other relay and no other region", async () => {
      const id = "r_onlythis001";
      const { token } = await relayKey({ relay: id, region: "here" });
      const other = await relayKey();
      assert.deepEqual(await refusedUpgrade(linkOf(id), other.token), forbidden, "reserved before it came");
      assert.deepEqual(await refusedUpgrade(linkOf("r_another0001"), token), forbidden);
      await using rogue = await connectLink(rig.url(), id, token);
      rogue.send(JSON.stringify(hello("elsewhere")));
      const refused = await rogue.next();
      assert.ok(refused.type === "refused" && /region/.test(refused.detail));
      await using _relay = await startRelay(rig.url(), id, token, { region: "here" });
      assert.equal((await rig.api().listRelays()).find((one) => one.id === id)?.region, "here");
    });

    test("an id that was removed from the fleet is free", async () => {
      const id = "r_removed0001";
      await using link = await startRelay(rig.url(), id, adminToken, { region: "removed", tls });
      await rig.api().drainRelay(id);
      await rig.api().removeRelay(id);
      await link.closing();
      const { token } = await relayKey();
      await using _next = await startRelay(rig.url(), id, token, { region: "removed", tls: otherTls });
    });
  });
}

function hello(region: string): object {
  const ports = { from: 20_000, to: 20_009 };
  return { type: "hello", region, host: "relay.test", sharedPort: 8788, ports, version: "1" };
}
