import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecrets } from "./control-under-test.ts";
import { randomFrom } from "./random.ts";
import { createSimulation } from "./simulation.ts";
import type { SimulatedSocket, Simulation } from "./simulation.ts";
import { rootGrant } from "./root-grant.ts";

const owner = "a_admin";
const relay = "r_00000001";

/** A control plane with one relay, and the account under test. */
async function createFixture() {
  const control = createSimulation(await createSecrets(), randomFrom(1));
  const account = control.env.ACCOUNTS.getByName(owner);
  return { control, account, link: await openLink(control) };
}

async function openLink(control: Simulation): Promise<SimulatedSocket> {
  const link = await control.connect("RELAYS", relay, `/v1/relays/${relay}/link`);
  const ports = { from: 20_000, to: 20_009 };
  await link.send({ type: "hello", region: "eu", host: "r.test", sharedPort: 1, ports, version: "1" });
  return link;
}

async function openSession(control: Simulation, request: { name?: string; suggestedName?: string }) {
  const reserved = await control.env.ACCOUNTS.getByName(owner).reserve({ owner, request, by: rootGrant });
  assert.ok(reserved.ok);
  const { id, name } = reserved.value;
  const session = control.env.SESSIONS.getByName(`${owner}/${id}`);
  const opened = await session.open({ id, owner, name, by: rootGrant, request: { target: "x", name } });
  assert.ok(opened.ok);
  return { id, name };
}

test("a name that was reserved by a host which was killed before it opened the session is free again after a minute", async () => {
  const { control, account } = await createFixture();
  const first = await account.reserve({ owner, request: { name: "box" }, by: rootGrant });
  assert.ok(first.ok);
  control.evictAll();
  await control.advance(59_000);
  assert.equal(await account.find("box"), first.value.id, "its session may still be opened");
  await control.advance(2_000);
  assert.equal(await account.find("box"), null);
});

test("a reservation whose session was opened stays, also when it is asked for again", async () => {
  const { control, account } = await createFixture();
  const { id } = await openSession(control, { name: "box" });
  await control.advance(61_000);
  assert.ok((await account.reserve({ owner, request: { name: "box" }, by: rootGrant })).ok);
  await control.advance(61_000);
  assert.equal(await account.find("box"), id);
  assert.equal((await account.list({ limit: 10 })).sessions.length, 1);
});

test("a name that is asked for again within the minute has another minute", async () => {
  const { control, account } = await createFixture();
  const first = await account.reserve({ owner, request: { name: "box" }, by: rootGrant });
  await control.advance(50_000);
  const second = await account.reserve({ owner, request: { name: "box" }, by: rootGrant });
  assert.deepEqual(second, first);
  await control.advance(50_000);
  assert.ok(await account.find("box"));
  await control.advance(15_000);
  assert.equal(await account.find("box"), null);
});

test("a suggested name is the agent's own until it has come, and free again when it has not come within seconds", async () => {
  const { control } = await createFixture();
  const first = await openSession(control, { suggestedName: "desk" });
  assert.equal((await openSession(control, { suggestedName: "desk" })).name, "desk-2");
  await control.advance(11_000);
  assert.equal((await openSession(control, { suggestedName: "desk" })).id, first.id);
  const agent = await control.connect("SESSIONS", `${owner}/${first.id}`, `/v1/sessions/${first.id}/agent`);
  await agent.drop();
  assert.equal((await openSession(control, { suggestedName: "desk" })).id, first.id, "it came and went");
});
