import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createLog } from "../../net/log.ts";
import { RdvError } from "../../protocol/errors.ts";
import { readToEnd } from "../fixtures/clients.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { until } from "../fixtures/within.ts";
import { startLocalEcho, startLocalService } from "./local-service.ts";
import { startStandInControl } from "./stand-in-control.ts";
import { startStandInRelay } from "./stand-in-relay.ts";
import { expose, finish } from "./watched-exposure.ts";

test("is ready with the public address, keeps `pool` halves waiting, and dials the target only for a client", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  assert.deepEqual(await run.saw("ready"), {
    type: "ready",
    session: run.exposure.session.id,
    name: "desk",
    address: "127.0.0.1:20000",
    addresses: ["127.0.0.1:20000"],
    epoch: 1,
  });
  await relay.settled(2);
  assert.equal(service.accepted(), 0);
  const client = (await relay.take()).pair();
  assert.equal(await finish(client, "hello"), "hello");
  const closed = await run.saw("closed");
  assert.ok(closed.type === "closed");
  assert.deepEqual([closed.bytesIn, closed.bytesOut, closed.outcome], [5, 5, "closed"]);
  assert.equal(service.accepted(), 1);
  await relay.settled(2);
});

test("an answer that comes long after the client's FIN arrives whole", async () => {
  const answer = Buffer.alloc(8 * 1024 * 1024, "x");
  await using service = await startLocalService((socket) => {
    socket.resume();
    socket.once("end", () => setTimeout(() => socket.end(answer), 200));
  });
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  const client = (await relay.take()).pair();
  const ending = readToEnd(client);
  client.end("question");
  const { bytes, how } = await ending;
  assert.equal(how, "end");
  assert.equal(bytes.compare(answer), 0);
  const closed = await run.saw("closed");
  assert.ok(closed.type === "closed");
  assert.equal(closed.outcome, "closed");
});

test("a reset by the service resets the client, and the other way round", async () => {
  await using service = await startLocalService();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);

  const first = (await relay.take()).pair();
  const firstEnd = readToEnd(first);
  const serving = await service.connection();
  first.write("?");
  await once(serving, "data");
  serving.resetAndDestroy();
  assert.equal((await firstEnd).how, "ECONNRESET");
  const byService = await run.saw("closed");
  assert.ok(byService.type === "closed");
  assert.equal(byService.outcome, "reset_by_agent");

  const second = (await relay.take()).pair();
  const served = await service.connection();
  const servedEnd = readToEnd(served);
  second.resetAndDestroy();
  assert.equal((await servedEnd).how, "ECONNRESET");
  const byClient = await run.saw("closed");
  assert.ok(byClient.type === "closed");
  assert.equal(byClient.outcome, "reset_by_client");
});

test("a target that refuses resets its clients, is logged once a change, and serves when it is up", async () => {
  await using block = await claimPorts();
  const port = block.port(0);
  const lines: string[] = [];
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, port, {
    log: createLog({ write: (line) => lines.push(line), level: "info" }),
  });
  const said = (words: string): number => lines.filter((line) => line.includes(words)).length;
  // On Linux it is said before the first client has come.
  if (process.platform === "linux")
    await until(15_000, "a warning", () => (said("does not answer") === 1 ? true : undefined));
  for (let i = 0; i < 3; i += 1) {
    const client = (await relay.take()).pair();
    assert.equal((await readToEnd(client)).how, "ECONNRESET");
    const closed = await run.saw("closed");
    assert.ok(closed.type === "closed");
    assert.equal(closed.outcome, "target_refused");
  }
  assert.equal(said("does not answer"), 1);
  await using _service = await startLocalEcho(port);
  assert.equal(await finish((await relay.take()).pair(), "now"), "now");
  assert.equal(said("answers again"), 1);
});

test("serves a burst of 100 clients with demand, and comes back to its usual pool", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  await relay.settled(2);
  const answers: Promise<string>[] = [];
  for (let i = 0; i < 100; i += 1) {
    const client = (await relay.take()).pair(99 - i);
    answers.push(finish(client, `client ${i}`));
    assert.ok(run.exposure.counts().open <= 32);
  }
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: 100 }, (_, i) => `client ${i}`),
  );
  await relay.settled(2);
  assert.deepEqual(run.exposure.counts(), { waiting: 2, open: 2, pairs: 0 });
});

test("a relay that crashes and returns is dialled again; the outage is said once, and over once", async () => {
  await using service = await startLocalEcho();
  const relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, { random: () => 0.05 });
  await relay.settled(2);
  await relay.stop();
  await run.saw("waiting");
  await using again = await startStandInRelay({ port: relay.port });
  await again.settled(2);
  await run.saw("back");
  assert.equal(await finish((await again.take()).pair(), "again"), "again");
  assert.deepEqual(
    run.events.map((event) => event.type).filter((type) => type !== "paired" && type !== "closed"),
    ["ready", "waiting", "back"],
  );
});

test("the news that the relay is back ends the wait at once", async () => {
  await using service = await startLocalEcho();
  const relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  let draw = 0;
  await using run = await expose(control, service.port, { random: () => draw });
  await relay.settled(2);
  // A backoff of minutes, so that only the news can end it.
  draw = 1_000;
  await relay.stop();
  await run.saw("waiting");
  await using again = await startStandInRelay({ port: relay.port });
  draw = 0.1;
  control.send({ type: "dial", relay: "r_aaaaaaaa", withinMs: 100 });
  await again.settled(2);
});

test("while the control plane is away halves are replaced and pairs go on; its return replaces the halves", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  const control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, { random: () => 0.05 });
  const living = (await relay.take()).pair();
  const livingEnd = readToEnd(living);
  await relay.settled(2);
  const port = Number(new URL(control.api.agentSocket("s").url).port);
  await control.stop();
  await run.saw("waiting");
  assert.equal(await finish((await relay.take()).pair(), "served"), "served");
  await using again = await startStandInControl(relay.port, { port });
  await again.api.createSession({ target: "x" });
  await again.connected(1);
  await run.saw("back");
  living.end("still here");
  assert.equal((await livingEnd).bytes.toString(), "still here");
});

test("a new epoch brings new halves before the old ones go", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  await relay.settled(2);
  const old = [...relay.waiting];
  const closed = old.map(async ({ socket }) => await new Promise((resolve) => socket.once("close", resolve)));
  control.place({ ticket: "ticket-2" }, 2);
  await Promise.all(closed);
  await relay.settled(2);
  assert.deepEqual(
    [...relay.waiting].map((half) => half.ticket),
    ["ticket-2", "ticket-2"],
  );
  assert.equal(run.events.filter((event) => event.type === "waiting").length, 0);
});

test("another port is told as a new address", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  await run.saw("ready");
  control.place({ clientPort: 20_001 });
  const ready = await run.saw("ready");
  assert.equal(ready.type === "ready" && ready.address, "127.0.0.1:20001");
});

test("a refused half is reported to the control plane", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay({
    greet: (half) => {
      half.refuse("port_unavailable");
      return "answered";
    },
  });
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  assert.deepEqual(await control.hears("refused"), {
    type: "refused",
    relay: "r_aaaaaaaa",
    clientPort: 20_000,
    code: "port_unavailable",
  });
  await run.saw("waiting");
});

test("an expired ticket is renewed and the half then waits", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay({
    greet: (half) => {
      if (half.ticket !== "ticket-1") return "wait";
      half.refuse("ticket_expired");
      return "answered";
    },
  });
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, { random: () => 0.1 });
  await control.hears("renew");
  control.place({ ticket: "ticket-2" });
  await run.saw("ready");
});

for (const by of ["relay", "control plane"] as const) {
  test(`an agent replaced by word of the ${by} stops, stays away, and finishes its live pairs`, async () => {
    await using service = await startLocalEcho();
    await using relay = await startStandInRelay();
    await using control = await startStandInControl(relay.port);
    await using run = await expose(control, service.port, { random: () => 0 });
    const living = (await relay.take()).pair();
    await run.saw("paired");
    await relay.settled(2);
    if (by === "relay") (await relay.take()).refuse("replaced");
    else control.send({ type: "replaced" });
    await run.saw("replaced");
    await relay.settled(0);
    const opened = relay.opened();
    assert.equal(await finish(living, "last words"), "last words");
    assert.equal(await run.exposure.done, "replaced");
    assert.equal(relay.opened(), opened);
    assert.equal(control.connects(), 1);
    assert.ok(!control.said.some(({ type }) => type === "bye"), "the session is the newer agent's");
  });
}

test("the end of the session ends the agent and cuts its pairs", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port);
  const living = (await relay.take()).pair();
  await run.saw("paired");
  control.send({ type: "ended", reason: "deleted by its owner" });
  assert.deepEqual(await run.saw("ended"), { type: "ended", reason: "deleted by its owner" });
  assert.equal(await run.exposure.done, "ended");
  assert.equal((await readToEnd(living)).how, "ECONNRESET");
});

test("with once, the first pair is the last", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, { request: { target: "x", once: true } });
  const client = (await relay.take()).pair();
  await run.saw("paired");
  await relay.settled(0);
  control.send({ type: "ended", reason: "its first pair was its last" });
  assert.equal(await finish(client, "only me"), "only me");
  assert.equal(await run.exposure.done, "once");
});

test("a session that the control plane has forgotten is created again, with its name and old port", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, { random: () => 0.05 });
  await run.saw("ready");
  control.createErrors.push(new RdvError("internal"), new RdvError("port_taken"));
  control.refuse("not_found");
  control.drop();
  const ready = await run.saw("ready");
  assert.equal(ready.type === "ready" && ready.session, "s_00000000000000000004");
  assert.deepEqual(
    control.created.map(({ name, port }) => ({ name, port })),
    [
      { name: undefined, port: undefined },
      { name: "desk", port: 20_000 },
      { name: "desk", port: 20_000 },
      { name: "desk", port: undefined },
    ],
  );
});

test("a revoked token ends the agent with the reason", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, { random: () => 0 });
  await run.saw("ready");
  control.refuse("unauthorized");
  control.drop();
  await run.saw("ended");
  assert.equal(await run.exposure.done, "ended");
});

test("disposing says goodbye, closes the waiting halves and cuts the live pairs", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  const run = await expose(control, service.port);
  const living = (await relay.take()).pair();
  const end = readToEnd(living);
  await run.saw("paired");
  await relay.settled(2);
  await run[Symbol.asyncDispose]();
  assert.equal((await end).how, "ECONNRESET");
  await relay.settled(0);
  assert.deepEqual(await control.hears("bye"), { type: "bye" });
  assert.equal(await run.exposure.done, "aborted");
});

test("disposing with finishMs lets the live pairs finish before the goodbye", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  const stop = new AbortController();
  await using run = await expose(control, service.port, { finishMs: 60_000, signal: stop.signal });
  const living = (await relay.take()).pair();
  await run.saw("paired");
  stop.abort();
  await relay.settled(0);
  assert.equal(await finish(living, "let me finish"), "let me finish");
  assert.equal(await run.exposure.done, "aborted");
});

test("the control plane's refusal to create a session is thrown", async () => {
  await using control = await startStandInControl(1);
  control.createErrors.push(new RdvError("port_taken"));
  await assert.rejects(expose(control, 1), (error: RdvError) => error.code === "port_taken");
});

test("an agent that is stopped while the control plane hangs does not wait for it", async () => {
  const stop = new AbortController();
  const api = {
    createSession: async () => await new Promise<never>(() => {}),
    agentSocket: () => ({ url: "http://127.0.0.1:1/", token: "x" }),
  };
  const starting = expose({ api }, 1, { signal: stop.signal });
  stop.abort();
  await assert.rejects(starting, { name: "AbortError" });
});

test("an agent that is replaced while it serves its only client does not take the session back", async () => {
  await using service = await startLocalEcho();
  await using relay = await startStandInRelay();
  await using control = await startStandInControl(relay.port);
  await using run = await expose(control, service.port, {
    request: { target: "x", once: true },
    random: () => 0,
  });
  const client = (await relay.take()).pair();
  await run.saw("paired");
  control.send({ type: "replaced" });
  await control.empty();
  assert.equal(await finish(client, "only me"), "only me");
  assert.equal(await run.exposure.done, "once");
  assert.equal(control.connects(), 1);
});
