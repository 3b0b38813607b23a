import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { createConnector } from "../../agent/connect/connector.ts";
import { createRelayPath } from "../../agent/connect/relay-path.ts";
import { createTicketSource } from "../../agent/connect/ticket-source.ts";
import { createTrust } from "../../agent/connect/trust.ts";
import { silentLog } from "../../net/log.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { startPlace } from "../agent/place.ts";
import { startLocalEcho } from "../agent/local-service.ts";
import { expose } from "../agent/watched-exposure.ts";
import { ask } from "../fixtures/clients.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { relayMetrics } from "../fixtures/metrics.ts";

/** A relay's place on the way: forwards to `port`, keeps what passes, and turns one bit when it is told to. */
async function startRecorder(
  port: number,
): Promise<AsyncDisposable & { port: number; bytes: () => Buffer; turnBit: () => void }> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  let turn = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const relay = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    for (const [from, to] of [
      [socket, relay],
      [relay, socket],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        chunks.push(Buffer.from(chunk));
        if (turn) chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 1;
        to.write(chunk);
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has such an address
    bytes: () => Buffer.concat(chunks),
    turnBit: () => void (turn = true),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const canary = (): Buffer => Buffer.from(`canary-${randomBytes(24).toString("hex")}`);

test("who sits on the way to the relay sees ciphertext alone, and one bit that is turned ends the connection", async () => {
  await using place = await startPlace();
  await using recorder = await startRecorder(place.relay.sharedPort);
  await using echo = await startLocalEcho();
  const identity = createIdentity();
  const request = { target: "echo", name: "desk", private: true };
  await using run = await expose(place, echo.port, { identity, request });
  await run.saw("ready");
  using source = createTicketSource({ api: place.api, session: "desk", request: {}, log: silentLog });
  const relayPath = createRelayPath({ identity: createIdentity() });
  const remembered = new Map<string, string>();
  const connector = createConnector({
    source,
    trust: createTrust({
      session: "desk",
      pinned: identity.fingerprint,
      known: { get: (name) => remembered.get(name), remember: (name, key) => void remembered.set(name, key) },
      onFirstSight: () => assert.fail("the key was named"),
    }),
    openPath: async ({ tickets, agentKey }, signal) => {
      const placements = tickets.placements.map((one) => ({ ...one, sharedPort: recorder.port }));
      return await relayPath({ tickets: { ...tickets, placements }, agentKey }, signal);
    },
    log: silentLog,
  });
  const { socket } = await connector.open(AbortSignal.timeout(20_000));
  const secret = canary();
  socket.write(secret);
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.deepEqual(answer, secret);
  assert.ok(recorder.bytes().includes("GET /v1/client"), "the recorder sees the request");
  assert.ok(!recorder.bytes().includes(secret), "and not what is said");

  let more = 0;
  socket.on("data", (chunk: Buffer) => (more += chunk.length));
  const broken = once(socket, "error");
  recorder.turnBit();
  socket.write(canary());
  const closed = await run.saw("closed");
  assert.ok(closed.type === "closed" && closed.outcome === "reset_by_client");
  assert.equal(closed.bytesIn, secret.length, "nothing of the altered record reached the service");
  await broken;
  assert.equal(more, 0);
});

const skip =
  process.platform === "linux" && process.getuid?.() === 0 ? false : "reads another process's memory";

test("a relay that lives holds nothing of what is encrypted from end to end", { skip }, async () => {
  await using echo = await startEcho();
  // The portable pump takes the bytes into the process; the kernel pump would never show them there.
  await using up = await startUp("--pump", "portable", "--verbose");
  await using exposed = startRdv(["expose", String(echo.port), "--name", "desk"], up.place);
  const { address = "" } = await exposed.event("ready");
  await using client = startRdv(["connect", "desk", "--direct", "off"], up.place);
  const { local } = await client.event("ready");
  const port = (text: unknown): number => Number(String(text).split(":").at(-1));

  const [open, secret] = [canary(), canary()];
  // Much, so that it stands in many places of the memory, and asked for again and again while it is searched.
  const say = async (to: number, text: Buffer): Promise<void> => {
    const ending = await ask(to, text.toString().repeat(20_000));
    assert.equal(ending.bytes.length, text.length * 20_000);
  };
  await say(port(address), open);
  assert.ok(inMemory(up.rdv.pid, open), "the search finds what a plain client says");
  await say(port(local), secret);
  await say(port(local), secret);
  assert.ok(!inMemory(up.rdv.pid, secret), "and nothing of what is encrypted");

  const { stdout, stderr } = up.rdv.process.output();
  assert.ok(!`${stdout}${stderr}`.includes(secret.toString()));
  assert.ok(!(await relayMetrics(up.relay)).includes(secret.toString()));
});

/** Whether these bytes stand anywhere in a process's memory (proc(5): maps and mem). */
function inMemory(pid: number, bytes: Buffer): boolean {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    const regions = readFileSync(`/proc/${pid}/maps`, "latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm);
    return [...regions].some(([, from = "0", to = "0"]) =>
      inRegion(memory, Number.parseInt(from, 16), Number.parseInt(to, 16), bytes),
    );
  } finally {
    closeSync(memory);
  }
}

const window = 4 * 1024 * 1024;

function inRegion(memory: number, from: number, to: number, bytes: Buffer): boolean {
  for (let at = from; at < to; at += window - bytes.length) {
    const chunk = Buffer.alloc(Math.min(window, to - at));
    try {
      if (chunk.subarray(0, readSync(memory, chunk, 0, chunk.length, at)).includes(bytes)) return true;
    } catch {
      return false; // A region that was given back meanwhile, or that the kernel does not show.
    }
    if (at + window >= to) return false;
  }
  return false;
}
