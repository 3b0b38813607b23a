import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExposureEvent } from "../../agent/exposure.ts";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { until } from "../fixtures/within.ts";
import { startLocalEcho, startLocalService } from "./local-service.ts";
import { startPlace } from "./place.ts";
import { expose, finish } from "./watched-exposure.ts";

function portOf(event: ExposureEvent): number {
  assert.ok(event.type === "ready");
  return Number(event.address.split(":").at(-1));
}

test("100 clients at once are served through a real relay, and the pool comes back to its size", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port);
  const port = portOf(await run.saw("ready"));
  const clients = await Promise.all(Array.from({ length: 100 }, async () => await dial(port)));
  const answers = await Promise.all(clients.map(async (client, i) => await finish(client, `client ${i}`)));
  assert.deepEqual(
    answers,
    clients.map((_, i) => `client ${i}`),
  );
  await until(15_000, "the pool is at its size", () => {
    const { waiting, open, pairs } = run.exposure.counts();
    return waiting === 2 && open === 2 && pairs === 0 ? true : undefined;
  });
});

test("late answers and resets pass through agent and relay", async () => {
  const answer = Buffer.alloc(4 * 1024 * 1024, "y");
  await using service = await startLocalService((socket) => {
    socket.on("data", (data) => String(data) === "reset" && socket.resetAndDestroy());
    socket.once("end", () => setTimeout(() => socket.end(answer), 100));
  });
  await using place = await startPlace();
  await using run = await expose(place, service.port);
  const port = portOf(await run.saw("ready"));

  const client = await dial(port);
  const ending = readToEnd(client);
  client.end("question");
  const { bytes, how } = await ending;
  assert.deepEqual([bytes.compare(answer), how], [0, "end"]);

  const broken = await dial(port);
  const brokenEnd = readToEnd(broken);
  broken.write("reset");
  assert.equal((await brokenEnd).how, "ECONNRESET");
});

test("a restarted relay serves again on the same port; live pairs of the time are reset", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port, { random: () => 0.05 });
  const port = portOf(await run.saw("ready"));
  const living = readToEnd(await dial(port));
  await run.saw("paired");
  await place.stopRelay();
  assert.equal((await living).how, "ECONNRESET");
  await run.saw("waiting");
  await place.startRelay();
  await run.saw("back");
  assert.equal(await finish(await dial(port), "same port"), "same port");
  assert.equal(run.events.filter((event) => event.type === "ready").length, 1);
});

test("while the control plane restarts, living and new clients are served; the agent comes back to its session", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port, { random: () => 0.05 });
  const port = portOf(await run.saw("ready"));
  const { id } = run.exposure.session;
  const living = await dial(port);
  await run.saw("paired");
  await place.stopControl();
  await run.saw("waiting");
  assert.equal(await finish(await dial(port), "no control plane"), "no control plane");
  await place.startControl();
  await run.saw("back");
  assert.equal(await finish(living, "still here"), "still here");
  await until(15_000, "the new epoch's halves wait", () =>
    run.exposure.counts().waiting === 2 && run.exposure.counts().open === 2 ? true : undefined,
  );
  assert.equal(await finish(await dial(port), "after"), "after");
  const session = await place.api.getSession(id);
  assert.deepEqual([session.state, session.epoch], ["live", 2]);
});

test("a second agent of the same name replaces the first on the same port, while the first finishes its pairs", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  const request = { target: "x", name: "desk" };
  await using first = await expose(place, service.port, { request });
  const port = portOf(await first.saw("ready"));
  const living = await dial(port);
  await first.saw("paired");
  await using second = await expose(place, service.port, { request });
  assert.equal(portOf(await second.saw("ready")), port);
  await first.saw("replaced");
  assert.equal(await finish(living, "by the first"), "by the first");
  assert.equal(await first.exposure.done, "replaced");
  assert.equal(await finish(await dial(port), "by the second"), "by the second");
  assert.equal((await second.saw("closed")).type, "closed");
});

test("a deleted session ends its agent; a disposed agent ends its session", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port);
  await run.saw("ready");
  await place.api.endSession(run.exposure.session.id);
  await run.saw("ended");
  assert.equal(await run.exposure.done, "ended");
  const other = await expose(place, service.port, { request: { target: "x", name: "other" } });
  await other.saw("ready");
  await other[Symbol.asyncDispose]();
  assert.deepEqual(await place.api.listSessions(), []);
});

test("with once, one client is served and the session is over", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  await using run = await expose(place, service.port, { request: { target: "x", once: true } });
  const port = portOf(await run.saw("ready"));
  assert.equal(await finish(await dial(port), "only one"), "only one");
  assert.equal(await run.exposure.done, "once");
  await run[Symbol.asyncDispose]();
  assert.deepEqual(await place.api.listSessions(), []);
});

test("an agent leaves neither sockets nor timers behind", async () => {
  await using service = await startLocalEcho();
  await using place = await startPlace();
  const serveSome = async (name: string): Promise<void> => {
    await using run = await expose(place, service.port, { request: { target: "x", name } });
    const port = portOf(await run.saw("ready"));
    const clients = await Promise.all(Array.from({ length: 10 }, async () => await dial(port)));
    await Promise.all(clients.map(async (client) => await finish(client, "x")));
    for (const client of clients) client.destroy();
  };
  await serveSome("first");
  await until(10_000, "the first agent's sockets are closed", () =>
    service.live() === 0 ? true : undefined,
  );
  const before = resources();
  for (const name of ["second", "third", "fourth", "fifth"]) await serveSome(name);
  await until(10_000, "as few sockets and timers as before", () => {
    const now = resources();
    return now.sockets <= before.sockets && now.timers <= before.timers ? true : undefined;
  });
});

function resources(): { sockets: number; timers: number } {
  const names = process.getActiveResourcesInfo();
  return {
    sockets: names.filter((name) => name.startsWith("TCP")).length,
    timers: names.filter((name) => name === "Timeout").length,
  };
}
