import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { Problem } from "../../protocol/errors.ts";
import { describeControlPlane } from "./contract.ts";
import { createRig } from "./contract/rig.ts";
import type { ControlSecrets, ControlUnderTest } from "./control-under-test.ts";
import { createSecrets } from "./control-under-test.ts";

// The stand-in for what the platform knows of a request is fetched from outside; no test looks at it.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface WorkerdControl extends ControlUnderTest {
  /** Drops an object from memory, its sockets stay open; the platform does so when an object is idle. */
  hibernate(className: string, name: string): Promise<void>;
}

describeControlPlane("workerd", startWorkerd);

test(
  "on workerd objects that slept with open sockets know their agent and their relay",
  { timeout: 600_000 },
  async () => {
    await using control = await startWorkerd(await createSecrets());
    const rig = createRig(() => control);
    await using relay = await rig.newRelay();
    const session = await relay.create();
    await using agent = await rig.agentOf(session);
    await agent.next();
    await control.hibernate("SESSIONS", `a_admin/${session.id}`);
    await control.hibernate("RELAYS", relay.id);
    agent.send('{"type":"ping"}');
    assert.deepEqual(await agent.next(), { type: "pong" });
    assert.equal((await rig.api().getSession(session.id)).state, "live");
    agent.send('{"type":"renew"}');
    const placed = await agent.next();
    assert.ok(placed.type === "placed" && placed.epoch === 1);
    await control.hibernate("SESSIONS", `a_admin/${session.id}`);
    const offer = { offer: "o".repeat(22), key: "k".repeat(43), candidates: [] };
    const answered = rig.api().offerDirect(session.id, offer);
    assert.equal((await agent.next()).type, "direct");
    const answer = { type: "no", reason: "off" } as const;
    agent.send(JSON.stringify({ type: "direct", offer: offer.offer, answer }));
    assert.deepEqual(await answered, answer);
    await control.hibernate("SESSIONS", `a_admin/${session.id}`);
    await rig.api().endSession(session.id);
    assert.equal((await agent.next()).type, "ended");
    assert.equal((await relay.link.next()).type, "end");
  },
);

test("on workerd nobody is told a port, because the platform shows none", { timeout: 180_000 }, async () => {
  await using control = await startWorkerd(await createSecrets());
  const response = await fetch(`${control.url()}/v1/address`);
  assert.equal(response.status, 404);
  assert.equal(Problem.parse(await response.json()).code, "not_found");
});

async function startWorkerd(secrets: ControlSecrets): Promise<WorkerdControl> {
  const harness = createTestHarness({
    root,
    workers: [{ configPath: "wrangler.toml", secrets: { ...secrets } }],
  });
  let { url } = await harness.listen();
  return {
    url: () => url.origin,
    restart: async () => {
      await harness.update((options) => options);
      ({ url } = await harness.listen());
    },
    hibernate: async (className, name) =>
      await harness.getWorker().evictDurableObject(className, { name, webSockets: "hibernate" }),
    [Symbol.asyncDispose]: async () => await harness.close(),
  };
}
