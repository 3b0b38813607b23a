import assert from "node:assert/strict";
import { after, before } from "node:test";
import { attack } from "../../fixtures/attack.ts";
import { createRig } from "../../control/contract/rig.ts";
import { adminToken, createSecrets } from "../../control/control-under-test.ts";
import { connectLink, refusedUpgrade } from "../../control/peers.ts";
import { createControlHost } from "../../../embedded/host/control-host.ts";
import type { ControlHost } from "../../../embedded/host/control-host.ts";
import { silentLog } from "../../../net/log.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import type { TempDir } from "../../fixtures/temp-dir.ts";

const point = 8;
const from = import.meta.url;
const tls = "t".repeat(43);
let folder: TempDir;
let host: ControlHost;
const rig = createRig(() => ({
  url: () => host.url,
  restart: async () => {},
  [Symbol.asyncDispose]: async () => {},
}));
before(async () => {
  folder = await createTempDir();
  const place = { host: "127.0.0.1", port: 0, stateDir: folder.path, log: silentLog };
  host = await createControlHost({ ...place, env: await createSecrets() });
});
after(async () => {
  await host[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

attack(
  { point, from, title: "a relay's key says another relay's id, which stands in its metrics" },
  async () => {
    await using relay = await rig.newRelay({ tls });
    const session = await relay.create();
    const keys = [
      await rig.api().createKey({ scopes: ["relays"] }),
      await rig.api().createKey({ scopes: ["relays"], region: relay.region }),
      await rig.api().createKey({ scopes: ["relays"], relay: "r_mine000001" }),
      await rig.api().createKey({ scopes: ["relays"], relay: relay.id }),
    ];
    const link = `${rig.url()}/v1/relays/${relay.id}/link`;
    for (const { token } of keys)
      assert.deepEqual(await refusedUpgrade(link, token), { status: 403, code: "forbidden" });
    relay.link.kill();
    for (const { token } of keys)
      assert.deepEqual(await refusedUpgrade(link, token), { status: 403, code: "forbidden" });
    assert.equal((await rig.api().getSession(session.id)).placements[0]?.tls, tls);
    return { tries: 2 * keys.length, answer: "refused: an id belongs to the key of its first hello" };
  },
);

attack({ point, from, title: "who stole a relay's key says its id, and TLS keys of their own" }, async () => {
  await using relay = await rig.newRelay({ tls });
  const ports = { from: 20_000, to: 20_009 };
  const hello = {
    type: "hello",
    region: relay.region,
    host: "rogue.test",
    sharedPort: 1,
    ports,
    version: "1",
  };
  for (const own of ["u".repeat(43), null]) {
    await using rogue = await connectLink(rig.url(), relay.id, adminToken);
    rogue.send(JSON.stringify({ ...hello, tls: own }));
    assert.equal((await rogue.next()).type, "refused");
  }
  relay.link.send('{"type":"ping"}');
  assert.deepEqual(await relay.link.next(), { type: "pong" });
  return { tries: 2, answer: "refused, also without TLS, and the relay's own link stays" };
});
