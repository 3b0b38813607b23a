import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { createLog } from "../../net/log.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { RelaySignal } from "../../protocol/signals.ts";
import { version } from "../../protocol/version.ts";
import { openRelayMemory } from "../../relay-node/relay-memory.ts";
import { loadRelayId } from "../../relay-node/relay-id.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { dial, dialClient, dialHalf, startBench, until, waitingHalf } from "./harness.ts";
import type { Half } from "./harness.ts";

test("the relay says hello and its load, in the words of the contract", async () => {
  await using bench = await startBench();
  await until(() => bench.control.said.length >= 2, "hello and load");
  const [hello, load] = bench.control.said.map((signal) => RelaySignal.parse(signal));
  assert.deepEqual(hello, {
    type: "hello",
    region: "test",
    host: "127.0.0.1",
    sharedPort: bench.relay.sharedPort,
    tls: null,
    ports: { from: 1_024, to: 65_535 },
    version,
  });
  assert(load?.type === "load");
  assert.equal(load.load.pairs, 0);
  assert(load.load.descriptors > 0 && load.load.maxDescriptors > load.load.descriptors);
});

test("a session with once serves one pair, closes its port, and stays over after a restart", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket({ once: true });
  const spare = await waitingHalf(bench, ticket);
  const half = await waitingHalf(bench, ticket);
  const client = await dialClient(bench);
  assert.equal((await half.answer()).type, "paired");
  assert.deepEqual(await refusedWith(spare), 410);
  await assert.rejects(dialClient(bench), { code: "unreachable" });
  assert.deepEqual(await refusedWith(await dialHalf(bench, ticket)), 410);
  client.socket.write("the pair goes on");
  await half.received(16);
  client.socket.end();
  await half.rest();
  half.socket.end();
  await until(() => bench.relay.metrics().sessions === 0, "session over");
  await bench.restart();
  assert.deepEqual(await refusedWith(await dialHalf(bench, ticket)), 410);
});

test("an ended session loses its halves, its clients, its pairs and its port at once", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const paired = await waitingHalf(bench, ticket);
  const client = await dialClient(bench);
  await paired.answer();
  const waiting = await waitingHalf(bench, ticket);
  bench.control.end({ session: "s_sessionundertest0000", until: Math.floor(Date.now() / 1_000) + 3_600 });
  assert.equal(await refusedWith(waiting), 410);
  await assert.rejects(client.rest(), { code: "ECONNRESET" });
  await assert.rejects(paired.rest(), { code: "ECONNRESET" });
  await assert.rejects(dialClient(bench), { code: "unreachable" });
  assert.equal(await refusedWith(await dialHalf(bench, ticket)), 410);
  await until(() => bench.relay.metrics().sessions === 0, "session over");
  assert.equal(bench.relay.metrics().pairEnds.get("cut"), 1);
});

test("an ended session stays over for as long as its tickets are taken, the tolerated skew included", async () => {
  let ahead = 0;
  const now = (): number => Date.now() + ahead * 1_000;
  await using bench = await startBench({ now });
  const expires = Math.floor(Date.now() / 1_000) + 600;
  const ticket = await bench.ticket({ expires });
  const half = await waitingHalf(bench, ticket);
  bench.control.end({ session: "s_sessionundertest0000", until: expires });
  assert.equal(await refusedWith(half), 410);
  ahead = 600 + limits.ticketSkewSeconds / 2;
  assert.equal(await refusedWith(await dialHalf(bench, ticket)), 410);
  bench.control.end({ session: "s_anothersession000000", until: expires + 600 }); // the file is written anew
  await until(() => {
    const file = join(bench.stateDir, "relay-memory.json");
    return existsSync(file) && readFileSync(file, "utf8").includes("another");
  }, "saved");
  await bench.restart();
  assert.equal(await refusedWith(await dialHalf(bench, ticket)), 410);
});

test("without its control plane a restarted relay serves from the keys it kept", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const relay = await bench.restart();
  await relay.ready;
  const half = await waitingHalf(bench, ticket);
  const client = await dialClient(bench);
  assert.equal((await half.answer()).type, "paired");
  client.socket.end("served");
  assert.equal((await half.rest()).toString(), "served");
  half.socket.end();
  await client.rest();
});

test("a relay that never met its control plane says so, and becomes ready when it comes", async () => {
  await using bench = await startBench({ waitForReady: false, controlAway: true });
  assert.equal((await get(bench.relay.sharedPort, "/readyz")).status, 503);
  assert.equal((await get(bench.relay.sharedPort, "/healthz")).status, 200);
  assert.equal(await refusedWith(await dialHalf(bench, await bench.ticket())), 503);
  bench.control.away = false;
  await bench.relay.ready;
  assert.equal((await get(bench.relay.sharedPort, "/readyz")).status, 200);
  await waitingHalf(bench);
});

test("a relay that its control plane refuses at first contact is not ready, with the reason", async () => {
  await using bench = await startBench({
    waitForReady: false,
    controlRefuses: new RdvError("forbidden", "Not a relay key"),
  });
  await assert.rejects(bench.relay.ready, { code: "forbidden", message: "Not a relay key" });
});

test("a drained relay refuses what is new, finishes what lives, and then is empty", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const half = await waitingHalf(bench, ticket);
  const client = await dialClient(bench);
  await half.answer();
  const drained = bench.relay.drain();
  assert.equal((await get(bench.relay.sharedPort, "/readyz")).status, 503);
  assert.equal(await refusedWith(await dialHalf(bench, ticket)), 503);
  client.socket.end("last words");
  assert.equal((await half.rest()).toString(), "last words");
  half.socket.end();
  await drained;
  assert.equal(bench.relay.metrics().pairEnds.get("closed"), 1);
});

test("a relay that drains opens no raw port", async () => {
  await using bench = await startBench();
  await using ports = await claimPorts();
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  await half.answer();
  const drained = bench.relay.drain();
  const raw = { port: ports.port(0), from: null };
  bench.control.openRaw(await bench.ticket({ session: "s_rawsession0000000000", raw }));
  await until(() => bench.lines.some((line) => line.includes("not taken")), "the refusal in the log");
  await assert.rejects(dial(raw.port), { code: "unreachable" });
  client.socket.resetAndDestroy();
  await drained;
});

test("a drain that takes too long is cut", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  await half.answer();
  await bench.relay.drain(50);
  await assert.rejects(client.rest(), { code: "ECONNRESET" });
});

test("a session whose agent left keeps its port, then lets it go", async () => {
  await using bench = await startBench({ stickyMs: 100 });
  const half = await waitingHalf(bench);
  half.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 0, "half gone");
  const early = await dialClient(bench);
  const back = await waitingHalf(bench);
  assert.equal((await back.answer()).type, "paired");
  early.socket.destroy();
  back.socket.destroy();
  await until(() => bench.relay.metrics().sessions === 0, "port let go");
  await assert.rejects(dialClient(bench), { code: "unreachable" });
});

test("metrics tell what happened, in the Prometheus text format", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  await half.answer();
  client.socket.write("12345");
  await half.received(5);
  await until(() => bench.relay.metrics().bytes.aToB === 5, "bytes counted");
  const body = bench.relay.metricsText();
  const lines = body.split("\n");
  for (const line of [
    "rdv_relay_pairs 1",
    "rdv_relay_pairs_total 1",
    'rdv_relay_bytes_total{direction="client_to_agent"} 5',
    'rdv_relay_accepted_total{port="session"} 1',
    "rdv_relay_dropped_total 0",
    "rdv_relay_halves_waiting 0",
  ])
    assert(lines.includes(line), `${line}\n${body}`);
  for (const line of lines)
    assert.match(line, /^$|^# (HELP|TYPE) rdv_relay_\w+ |^rdv_relay_\w+(\{[^}]*\})? [0-9.e+-]+$/);
  assert(!body.includes("relay-token"));
});

test("after many pairs, refusals and leavers, everything is back at its baseline", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  await round(ticket);
  await until(
    () => bench.relay.metrics().sessions === 1 && bench.relay.metrics().halvesWaiting === 0,
    "quiet",
  );
  const before = await settledDescriptors();
  for (let count = 0; count < 20; count += 1) await round(ticket);
  await until(() => bench.relay.metrics().pairs + bench.relay.metrics().halvesWaiting === 0, "quiet again");
  const after = await settledDescriptors();
  assert(after <= before + 1, `${after} descriptors, ${before} before`);
  const { unpairedEnds, pairEnds, accepted, refused } = bench.relay.metrics();
  const ends = [...unpairedEnds.values()].reduce((sum, count) => sum + count, 0);
  const pairs = [...pairEnds.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(ends + 2 * pairs, accepted.shared + accepted.session, "every connection ended in one outcome");
  assert.equal(refused.get("ticket_invalid"), 21);

  async function round(good: string): Promise<void> {
    const half = await waitingHalf(bench, good);
    const client = await dialClient(bench);
    await half.answer();
    client.socket.end("x");
    await half.rest();
    half.socket.end("y");
    await client.rest();
    const leaver = await waitingHalf(bench, good);
    leaver.socket.destroy();
    await refusedWith(await dialHalf(bench, "bad"));
    await until(() => bench.relay.metrics().halvesWaiting === 0, "leaver noticed");
  }
});

test("the end of the relay ends every connection", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  await half.answer();
  const waiting = await waitingHalf(bench);
  await bench.relay[Symbol.asyncDispose]();
  await assert.rejects(client.rest(), { code: "ECONNRESET" });
  await assert.rejects(half.rest(), { code: "ECONNRESET" });
  assert.equal(await refusedWith(waiting), 503);
  await assert.rejects(dial(bench.relay.sharedPort), { code: "unreachable" });
});

test("the relay's id is made once and kept, readable by this user only", async () => {
  await using bench = await startBench();
  const dir = join(bench.stateDir, "new");
  const [one, two] = await Promise.all([loadRelayId(dir), loadRelayId(dir)]);
  assert.match(one, /^r_[0-9a-f]{24}$/);
  assert.equal(one, two);
  assert.equal(await loadRelayId(dir), one);
  for (const file of await readdir(dir)) assert.equal((await stat(join(dir, file))).mode & 0o077, 0, file);
});

test("keys and ended sessions are kept without any secret, and a broken file does not stop the relay", async () => {
  await using bench = await startBench();
  await bench.relay[Symbol.asyncDispose]();
  const file = join(bench.stateDir, "relay-memory.json");
  const kept = await readFile(file, "utf8");
  assert.match(kept, /"kid":"test-key"/);
  assert(!kept.includes('"d":'), "no private key");
  await writeFile(file, kept.slice(0, 20));
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line), level: "warn" });
  const memory = openRelayMemory(bench.stateDir, log, Date.now);
  assert.equal(memory.jwks(), undefined);
  assert.match(lines.join(""), /relay memory not readable/);
});

async function refusedWith(half: Half): Promise<number> {
  const answer = await half.answer();
  assert(answer.type === "refused", `refused, not ${answer.type}`);
  await half.rest();
  half.socket.end();
  return answer.status;
}

async function get(port: number, path: string): Promise<{ status: number; body: string }> {
  const socket = await dial(port);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const answer = await text(socket);
  socket.end();
  const [head = "", ...body] = answer.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), body: body.join("\r\n\r\n") };
}

/** Descriptors of this process, once closing connections have closed. */
async function settledDescriptors(): Promise<number> {
  let count = -1;
  for (let same = 0; same < 5;) {
    const now = (await readdir("/proc/self/fd")).length;
    same = now === count ? same + 1 : 0;
    count = now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return count;
}

test("pairs of a session that went to another relay may finish, but not for ever", async () => {
  await using bench = await startBench({ drainMs: 1_000 });
  const half = await waitingHalf(bench, await bench.ticket());
  const client = await dialClient(bench);
  assert.equal((await half.answer()).type, "paired");
  const waiting = await waitingHalf(bench, await bench.ticket());
  bench.control.leave("s_sessionundertest0000");
  const refused = await waiting.answer();
  assert.ok(refused.type === "refused" && refused.status === 503, "the waiting half is told to go");
  client.socket.write("still here");
  await half.received(10);
  await until(() => bench.relay.metrics().pairEnds.get("cut") === 1, "its time to finish is over");
});
