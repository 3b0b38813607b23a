import assert from "node:assert/strict";
import { test } from "node:test";
import { dial, readToEnd, servedWithin } from "../fixtures/clients.ts";
import { startRelay } from "../fixtures/relay.ts";
import type { RelayPlace } from "../fixtures/relay.ts";
import { createUpPlace, expose, startUp, startUpAt } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

test("a killed agent's successor with the same name has its port and serves", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using first = await expose(up.place, echo.port, "--name", "desk");
  await servedWithin(10_000, first.port);
  await first.rdv.killHard();
  await using second = await expose(up.place, echo.port, "--name", "desk");
  assert.deepEqual([second.port, second.session], [first.port, first.session]);
  await servedWithin(10_000, second.port);
});

test("a newer agent of the same name takes the session over: the older ends with 1, its open pairs live on", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using older = await expose(up.place, echo.port, "--name", "desk");
  const client = await dial(older.port);
  client.write("before, ");
  await older.rdv.event("paired");
  await using newer = await expose(up.place, echo.port, "--name", "desk");
  assert.equal(newer.port, older.port);
  await servedWithin(10_000, newer.port);
  await older.rdv.event("replaced");
  const answer = readToEnd(client);
  client.end("after");
  const { bytes, how } = await answer;
  assert.deepEqual([bytes.toString(), how], ["before, after", "end"]);
  assert.equal(await older.rdv.exitCode(), 1);
});

test("a relay that was killed and started again has its sessions back", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using state = await createTempDir();
  await using relay = await startRelay(up, farFrom(up, state.path));
  await using session = await expose(up.place, echo.port, "--region", "far");
  assert.ok(up.place.spare.includes(session.port), "the session is on the second relay");
  await servedWithin(10_000, session.port);
  await relay.killHard();
  await using _again = await startRelay(up, farFrom(up, state.path));
  await servedWithin(20_000, session.port);
});

test("a killed `rdv up` comes back with the same port and the agent returns by itself", async () => {
  await using echo = await startEcho();
  await using place = await createUpPlace();
  await using up = await startUpAt(place);
  await using session = await expose(place, echo.port);
  await servedWithin(10_000, session.port);
  await up.rdv.killHard();
  await using again = await startUpAt(place);
  await servedWithin(20_000, session.port);
  assert.deepEqual([again.control, again.token], [up.control, up.token]);
  assert.equal(
    session.rdv.events().filter(({ event }) => event === "ended" || event === "replaced").length,
    0,
  );
});

test("while the control plane is away open pairs go on and new clients are served", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using state = await createTempDir();
  await using _relay = await startRelay(up, farFrom(up, state.path));
  await using session = await expose(up.place, echo.port, "--region", "far");
  const client = await dial(session.port);
  client.write("control plane here, ");
  await session.rdv.event("paired");
  await up.rdv.killHard();
  const answer = readToEnd(client);
  client.end("control plane gone");
  assert.equal((await answer).bytes.toString(), "control plane here, control plane gone");
  await servedWithin(10_000, session.port);
});

/** A relay of its own, in the region `far`, on the ports that `up` leaves free. */
function farFrom(up: Up, stateDir: string): RelayPlace {
  const [sharedPort = 0, first = 0] = up.place.spare;
  return { stateDir, region: "far", sharedPort, ports: [first, up.place.spare.at(-1) ?? 0] };
}
