import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHalfRequest } from "../../protocol/handshake.ts";
import { dial } from "../fixtures/clients.ts";
import { until } from "../fixtures/within.ts";
import { readHalf } from "../relay-node/harness.ts";
import type { Half } from "../relay-node/harness.ts";
import { startLocalEcho } from "./local-service.ts";
import { startPlace } from "./place.ts";
import type { Place } from "./place.ts";
import { expose } from "./watched-exposure.ts";

/** Comes to a session by name with a ticket, as its owner's client does. */
async function meet(place: Place, name: string): Promise<Half> {
  const { placements } = await place.api.requestTickets(name);
  const [placement] = placements;
  assert.ok(placement && placement.clientPort === null);
  const socket = await dial(placement.sharedPort);
  socket.write(formatHalfRequest("client", "relay", placement.ticket));
  const half = readHalf(socket);
  assert.equal((await half.answer()).type, "waiting");
  assert.equal((await half.answer()).type, "paired");
  return half;
}

async function echo(half: Half, text: string): Promise<string> {
  half.socket.end(text);
  return String(await half.rest());
}

test("a private session serves its owner's clients through a real relay, also after restarts of both sides", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  const request = { target: "x", name: "hidden", private: true };
  await using run = await expose(place, service.port, { request, random: () => 0.05 });
  const ready = await run.saw("ready");
  assert.ok(ready.type === "ready" && ready.address === "hidden");
  assert.equal(await echo(await meet(place, "hidden"), "first"), "first");
  const living = await meet(place, "hidden");
  await place.stopControl();
  await run.saw("waiting");
  await place.startControl();
  await run.saw("back");
  assert.equal(await echo(living, "through it all"), "through it all");
  assert.equal(await echo(await meet(place, "hidden"), "again"), "again");
  await place.stopRelay();
  await run.saw("waiting");
  await place.startRelay();
  await run.saw("back");
  assert.equal(await echo(await meet(place, "hidden"), "and again"), "and again");
  const [relay] = await until(10_000, "the relay's lease is shown", async () => {
    const relays = await place.api.listRelays();
    return relays.every(({ leases }) => leases === 1) ? relays : undefined;
  });
  assert.equal(relay?.state, "up");
});

test("a session that turns private while it is served loses its port, and who has a ticket still comes", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port, { request: { target: "x", name: "turns" } });
  const ready = await run.saw("ready");
  assert.ok(ready.type === "ready");
  const port = Number(ready.address.split(":").at(-1));
  (await dial(port)).destroy();
  await place.api.createSession({ target: "x", name: "turns", private: true });
  await until(10_000, "nobody listens on its port", async () =>
    dial(port).then(
      (socket) => void socket.destroy(),
      () => true as const,
    ),
  );
  assert.equal(await echo(await meet(place, "turns"), "by ticket"), "by ticket");
});
