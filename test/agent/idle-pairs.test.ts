import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
import { test } from "node:test";
import { queryObjects } from "node:v8";
import { dial } from "../fixtures/clients.ts";
import { until } from "../fixtures/within.ts";
import { startLocalEcho } from "./local-service.ts";
import { startPlace } from "./place.ts";
import { expose } from "./watched-exposure.ts";

const linuxOnly =
  process.platform === "linux" ? {} : { skip: "only the kernel pump takes sockets from Node" };

test("an idle pair keeps no socket object, neither in the relay nor in the agent", linuxOnly, async () => {
  const pairs = 40;
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port);
  const ready = await run.saw("ready");
  assert.ok(ready.type === "ready");
  const port = Number(ready.address.split(":").at(-1));
  const waiting = { waiting: 2, open: 2, pairs: 0 };
  await until(15_000, "the pool is full", () => same(run.exposure.counts(), waiting));
  const before = queryObjects(Socket, { format: "count" });
  const clients: Socket[] = [];
  for (let i = 0; i < pairs; i += 1) {
    const client = await dial(port);
    client.write("hello");
    await once(client, "data");
    clients.push(client);
  }
  await until(15_000, "the pool is full again", () => same(run.exposure.counts(), { ...waiting, pairs }));
  // This test's own clients, and the service's side of each pair; two more a pair would be kept by relay or agent.
  const kept = queryObjects(Socket, { format: "count" }) - before - 2 * pairs;
  for (const client of clients) client.destroy();
  assert.ok(kept < pairs, `${kept} socket objects are kept for ${pairs} pairs`);
});

function same<T>(one: T, other: T): true | undefined {
  return JSON.stringify(one) === JSON.stringify(other) ? true : undefined;
}
