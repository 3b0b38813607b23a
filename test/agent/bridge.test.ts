import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { parseBridgeAddress } from "../../agent/bridge/address.ts";
import type { BridgeEvent } from "../../agent/bridge/bridge-pairs.ts";
import { createLink } from "../../agent/bridge/connect-connect.ts";
import { createForwarder } from "../../agent/bridge/listen-connect.ts";
import { createLog, silentLog } from "../../net/log.ts";
import { createPortablePump } from "../../net/portable-pump.ts";
import { RdvError } from "../../protocol/errors.ts";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { until } from "../fixtures/within.ts";
import { startLocalEcho, startLocalService } from "./local-service.ts";

function deps() {
  const events: BridgeEvent[] = [];
  const pump = createPortablePump();
  return {
    events,
    closed: async (): Promise<BridgeEvent & { type: "closed" }> =>
      await until(15_000, "a pair has closed", () => events.find((event) => event.type === "closed")),
    options: {
      once: false,
      pump,
      log: silentLog,
      signal: new AbortController().signal,
      onEvent: (event: BridgeEvent) => void events.push(event),
    },
  };
}

const connectTo = (port: number) => parseBridgeAddress(`tcp:127.0.0.1:${port}`);
const listenAnywhere = parseBridgeAddress("tcp-listen:127.0.0.1:0");

test("a link keeps one idle pair, and dials the next as soon as both sides have spoken", async () => {
  await using meeting = await startLocalService();
  await using service = await startLocalEcho();
  const { options } = deps();
  await using _link = createLink({ ...options, a: connectTo(meeting.port), b: connectTo(service.port) });
  const first = await meeting.connection();
  assert.equal(meeting.accepted(), 1);
  const firstEnd = readToEnd(first);
  first.write("one");
  const second = await meeting.connection();
  assert.equal(meeting.accepted(), 2);
  first.end();
  assert.equal((await firstEnd).bytes.toString(), "one");
  const secondEnd = readToEnd(second);
  second.end("two");
  assert.equal((await secondEnd).bytes.toString(), "two");
});

test("a link's pair carries a late answer after a half-close, and a reset as a reset, from either side", async () => {
  await using meeting = await startLocalService();
  await using service = await startLocalService();
  const { options, events } = deps();
  await using _link = createLink({ ...options, a: connectTo(meeting.port), b: connectTo(service.port) });
  const client = await meeting.connection();
  const server = await service.connection();
  const answer = readToEnd(client);
  const question = readToEnd(server);
  client.end("question");
  assert.equal((await question).bytes.toString(), "question");
  server.end("late answer");
  assert.equal((await answer).bytes.toString(), "late answer");

  const next = await meeting.connection();
  const nextServer = await service.connection();
  const broken = readToEnd(nextServer);
  next.resetAndDestroy();
  assert.equal((await broken).how, "ECONNRESET");
  const third = await meeting.connection();
  const thirdEnd = readToEnd(third);
  const thirdServer = await service.connection();
  thirdServer.write("x");
  await once(third, "data");
  thirdServer.resetAndDestroy();
  assert.equal((await thirdEnd).how, "ECONNRESET");
  await until(15_000, "three pairs closed", () =>
    events.filter((event) => event.type === "closed").length >= 3 ? true : undefined,
  );
  assert.deepEqual(events.flatMap((event) => (event.type === "closed" ? [event.outcome] : [])).slice(0, 3), [
    "closed",
    "reset_by_a",
    "reset_by_b",
  ]);
});

test("a link waits for a side that is down, says so once, and does not pester the other side", async () => {
  await using block = await claimPorts();
  await using meeting = await startLocalService();
  const lines: string[] = [];
  const { options } = deps();
  const log = createLog({ write: (line) => lines.push(line), level: "info" });
  const random = (): number => 0.05;
  await using _link = createLink({
    ...options,
    log,
    random,
    a: connectTo(meeting.port),
    b: connectTo(block.port(0)),
  });
  await until(15_000, "the outage is said", () => lines.find((line) => line.includes("does not answer")));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(meeting.accepted(), 1);
  await using service = await startLocalEcho(block.port(0));
  await service.connection();
  await until(15_000, "the return is said", () => lines.find((line) => line.includes("answers again")));
  assert.equal(lines.length, 2);
});

test("a peer that accepts and hangs up at once is dialled with backoff", async () => {
  await using meeting = await startLocalService((socket) => void socket.resetAndDestroy());
  await using service = await startLocalService(
    (socket) => void socket.resume().on("end", () => socket.end()),
  );
  const { options } = deps();
  await using _link = createLink({
    ...options,
    random: () => 0.5,
    a: connectTo(meeting.port),
    b: connectTo(service.port),
  });
  await meeting.connection();
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.ok(meeting.accepted() <= 3, String(meeting.accepted()));
});

test("a link with once serves one pair and is done", async () => {
  await using meeting = await startLocalService();
  await using service = await startLocalEcho();
  const { options } = deps();
  await using link = createLink({
    ...options,
    once: true,
    a: connectTo(meeting.port),
    b: connectTo(service.port),
  });
  const client = await meeting.connection();
  const end = readToEnd(client);
  client.end("only");
  assert.equal((await end).bytes.toString(), "only");
  await link.done;
  assert.equal(meeting.accepted(), 1);
});

test("a link with once fails at once when a side is down", async () => {
  await using block = await claimPorts();
  await using meeting = await startLocalService();
  const { options } = deps();
  await using link = createLink({
    ...options,
    once: true,
    a: connectTo(meeting.port),
    b: connectTo(block.port(0)),
  });
  await assert.rejects(link.done, (error: RdvError) => error.code === "unreachable");
});

test("disposing of a link cuts its pairs and its dials", async () => {
  await using meeting = await startLocalService();
  await using service = await startLocalEcho();
  const { options } = deps();
  const link = createLink({ ...options, a: connectTo(meeting.port), b: connectTo(service.port) });
  const end = readToEnd(await meeting.connection());
  await service.connection();
  await link[Symbol.asyncDispose]();
  assert.notEqual((await end).how, undefined);
  await link.done;
});

for (const order of ["listen first", "connect first"] as const)
  test(`a forwarder joins each client with the other address, ${order}`, async () => {
    await using service = await startLocalEcho();
    const { options, closed } = deps();
    const there = connectTo(service.port);
    const [a, b] = order === "listen first" ? [listenAnywhere, there] : [there, listenAnywhere];
    await using forwarder = await createForwarder({ ...options, a, b });
    const clients = await Promise.all(Array.from({ length: 20 }, async () => await dial(forwarder.port)));
    const answers = clients.map(async (client) => (await readToEnd(client)).bytes.toString());
    clients.forEach((client, index) => client.end(`client ${index}`));
    assert.deepEqual(
      await Promise.all(answers),
      clients.map((_, index) => `client ${index}`),
    );
    const { outcome, a: first, b: second } = await closed();
    assert.equal(outcome, "closed");
    assert.equal(order === "listen first" ? second : first, `127.0.0.1:${service.port}`);
  });

test("a forwarder resets a client whose service is down, and serves when it is up", async () => {
  await using block = await claimPorts();
  const { options } = deps();
  await using forwarder = await createForwarder({
    ...options,
    a: listenAnywhere,
    b: connectTo(block.port(0)),
  });
  assert.equal((await readToEnd(await dial(forwarder.port))).how, "ECONNRESET");
  await using _service = await startLocalEcho(block.port(0));
  const client = await dial(forwarder.port);
  client.end("now");
  assert.equal((await readToEnd(client)).bytes.toString(), "now");
});

test("a client that is reset while its service is being dialled is never joined", async () => {
  await using service = await startLocalEcho();
  const { options, closed } = deps();
  await using forwarder = await createForwarder({
    ...options,
    a: listenAnywhere,
    b: connectTo(service.port),
  });
  const client = await dial(forwarder.port);
  client.write("x");
  await once(client, "data");
  client.resetAndDestroy();
  assert.equal((await closed()).outcome, "reset_by_a");
});

test("a forwarder with once serves one client and closes its port; it fails when it cannot", async () => {
  await using block = await claimPorts();
  await using service = await startLocalEcho();
  const { options } = deps();
  await using good = await createForwarder({
    ...options,
    once: true,
    a: listenAnywhere,
    b: connectTo(service.port),
  });
  const client = await dial(good.port);
  const end = readToEnd(client);
  client.end("only");
  assert.equal((await end).bytes.toString(), "only");
  await good.done;
  await assert.rejects(dial(good.port));

  await using bad = await createForwarder({
    ...options,
    once: true,
    a: listenAnywhere,
    b: connectTo(block.port(0)),
  });
  await dial(bad.port);
  await assert.rejects(bad.done, (error) => error instanceof RdvError && error.code === "unreachable");
});
