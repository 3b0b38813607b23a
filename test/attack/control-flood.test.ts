import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { test } from "node:test";
import * as z from "zod";
import { WebSocket } from "ws";
import { createLog, silentLog } from "../../net/log.ts";
import { pingText, pongText } from "../../protocol/signals.ts";
import { createHostSocket } from "../../embedded/host/host-socket.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { createControlHost } from "../../embedded/host/control-host.ts";
import { within } from "../fixtures/within.ts";

/** What a host socket uses of a WebSocket. */
class StandInConnection extends EventEmitter {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

const Created = z.object({ id: z.string() });

const skip = process.platform === "linux" ? false : "reads the memory of a process from /proc";

test(
  "an agent that floods its control connection neither fills the memory nor starves another agent",
  { skip },
  async () => {
    await using dir = await createTempDir();
    const args = ["up", "--control-port", "0", "--relay-port", "0", "--ports", "23000-23010"];
    await using up = startRdv(args, { stateDir: dir.path });
    const { control = "", token = "" } = await up.event("ready");
    const before = await memoryMiB(up.pid);
    await using victim = await openAgent(control, token, "victim");
    await using flooder = await openAgent(control, token, "flooder");
    for (let i = 0; i < 50_000; i += 1) flooder.ws.send('{"type":"renew"}');
    const answer = once(victim.ws, "message", { signal: AbortSignal.timeout(60_000) });
    victim.ws.send(pingText);
    assert.equal(String((await answer)[0]), pongText);
    const grown = (await memoryMiB(up.pid)) - before;
    // 50,000 messages that are all begun at once take 480 MiB, and the other agent waits until the last one is done.
    assert.ok(grown < 200, `${grown} MiB more`);
  },
);

test("messages of one socket are dealt with in order, a bounded number at once", async () => {
  const begun: string[] = [];
  const done: (() => void)[] = [];
  const socket = createHostSocket({
    onMessage: async (text) => {
      begun.push(text);
      await new Promise<void>((resolve) => void done.push(resolve));
    },
    onClosed: () => {},
  });
  const connection = new StandInConnection();
  socket.attach(connection as unknown as WebSocket); // it has all that the socket uses
  for (let i = 0; i < 100; i += 1) connection.emit("message", Buffer.from(String(i)), false);
  assert.ok(begun.length <= 32, `${begun.length} at once`);
  assert.ok(connection.isPaused, "the peer is not read any more");
  while (begun.length < 100 || done.length > 0) {
    done.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(
    begun,
    Array.from({ length: 100 }, (_, i) => String(i)),
  );
  assert.ok(!connection.isPaused, "the peer is read again");
});

test("a request that dribbles is ended within seconds, and TRACE is no failure of the server", async () => {
  await using dir = await createTempDir();
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line), level: "debug" });
  const env = { RDV_SIGNING_KEY: "{}", RDV_ADMIN_KEY_HASH: "0".repeat(64) };
  await using control = await createControlHost({ host: "127.0.0.1", port: 0, stateDir: dir.path, env, log });
  const trace = connect(control.port, "127.0.0.1");
  trace.write("TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const [answer] = await once(trace, "data");
  assert.match(String(answer), /^HTTP\/1\.1 400 /);
  trace.destroy();
  assert.deepEqual(lines, []);

  const slow = connect(control.port, "127.0.0.1");
  slow.on("error", () => {}).resume();
  slow.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
  const drip = setInterval(() => slow.write("X: y\r\n"), 100);
  await within(10_000, once(slow, "close"), () => "the end of a request that never ends");
  clearInterval(drip);
});

test("who is refused and stays does not keep the control plane from stopping", async () => {
  await using dir = await createTempDir();
  const env = { RDV_SIGNING_KEY: "{}", RDV_ADMIN_KEY_HASH: "0".repeat(64) };
  const options = { host: "127.0.0.1", port: 0, stateDir: dir.path, env, log: silentLog };
  await using control = await createControlHost(options);
  const stays = connect({ host: "127.0.0.1", port: control.port, allowHalfOpen: true });
  stays.write(
    "GET /v1/sessions/x/agent HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
  );
  const [answer] = await once(stays, "data");
  assert.match(String(answer), /^HTTP\/1\.1 503 /);
  await within(3_500, Promise.resolve(control[Symbol.asyncDispose]()), () => "the end of the control plane");
  stays.destroy();
});

async function openAgent(control: string, token: string, name: string) {
  const authorization = `Bearer ${token}`;
  const created = await fetch(`${control}/v1/sessions`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ target: "localhost:22", name }),
  });
  const { id } = Created.parse(await created.json());
  const url = `${control.replace("http", "ws")}/v1/sessions/${id}/agent`;
  const ws = new WebSocket(url, { headers: { authorization }, perMessageDeflate: false });
  await once(ws, "message");
  return { ws, [Symbol.asyncDispose]: async () => ws.terminate() };
}

async function memoryMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024;
}
