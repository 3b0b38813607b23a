import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createAlarms } from "../../embedded/host/alarms.ts";
import { createControlHost } from "../../embedded/host/control-host.ts";
import { openDatabase } from "../../embedded/host/database.ts";
import { silentLog } from "../../net/log.ts";
import { createApi } from "../../protocol/client.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { until } from "../fixtures/within.ts";
import { adminToken, createSecrets } from "./control-under-test.ts";
import { connectAgent, startRelay } from "./peers.ts";

const host = "127.0.0.1";
const program = fileURLToPath(new URL("run-control-host.ts", import.meta.url));

/** Starts a control plane in its own process and waits for its URL. */
async function startHostProcess(stateDir: string, env: object): Promise<Running & { url: string }> {
  const running = startProcess(process.execPath, [program, stateDir], { env: { ...process.env, ...env } });
  await running.says("http://");
  return { ...running, url: running.output().stdout.trim() };
}

test("what was answered survives SIGKILL: sessions, epochs and leases", { timeout: 90_000 }, async () => {
  await using folder = await createTempDir();
  const secrets = await createSecrets();
  await using first = await startHostProcess(folder.path, secrets);
  const link = await startRelay(first.url, "r_00000001", adminToken);
  const api = createApi({ url: first.url, token: adminToken });
  const create = { target: "localhost:22", region: "test", name: "kept" };
  const session = await api.createSession(create);
  const agent = await connectAgent(first.url, session.id, adminToken);
  await agent.next();
  first.kill("SIGKILL");
  await Promise.all([link.closed, agent.closed]);

  await using second = await startHostProcess(folder.path, secrets);
  const again = createApi({ url: second.url, token: adminToken });
  const kept = await again.getSession("kept");
  assert.equal(kept.id, session.id);
  assert.equal(kept.state, "waiting", "its agent is not back yet");
  await using back = await connectAgent(second.url, session.id, adminToken);
  const placed = await back.next();
  assert.ok(placed.type === "placed" && placed.epoch === 2 && placed.placements[0]?.clientPort === 20_000);
  await using _link = await startRelay(second.url, "r_00000001", adminToken);
  assert.equal((await again.createSession({ ...create, name: "next" })).address, "relay.test:20001");
});

test("a second control plane on the same state, or on the same port, is refused with what to do", async () => {
  await using folder = await createTempDir();
  await using other = await createTempDir();
  const options = { host, port: 0, env: await createSecrets(), log: silentLog };
  await using first = await createControlHost({ ...options, stateDir: folder.path });
  const refusal = async (start: Promise<AsyncDisposable>): Promise<RdvError> => {
    const error: unknown = await start.then(
      () => assert.fail("it started"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof RdvError);
    return error;
  };
  const locked = await refusal(createControlHost({ ...options, stateDir: folder.path }));
  assert.equal(locked.code, "state_locked");
  assert.match(locked.message, /--state-dir/);
  const busy = await refusal(createControlHost({ ...options, port: first.port, stateDir: other.path }));
  assert.equal(busy.code, "port_in_use");
  assert.match(busy.message, new RegExp(`${first.port}.*--control-port`));
  await using _free = await createControlHost({ ...options, stateDir: other.path });
});

test("a host that is disposed of lets its peers go as going away, waits for no idle connection, and leaves nothing open", async () => {
  await using folder = await createTempDir();
  const before = openResources();
  const control = await createControlHost({
    host,
    port: 0,
    stateDir: folder.path,
    env: await createSecrets(),
    log: silentLog,
  });
  const link = await startRelay(control.url, "r_00000001", adminToken);
  const idle = await fetch(`${control.url}/healthz`);
  await idle.text();
  const began = performance.now();
  await control[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 0.8 * limits.requestMs, "an idle connection lasts limits.requestMs");
  assert.equal((await link.closed).code, 1_001);
  await until(15_000, "the resources are gone", () => (openResources() <= before ? true : undefined));
});

test("upgrades that are no WebSocket requests are answered and ended, and the host goes on", async () => {
  await using folder = await createTempDir();
  const env = await createSecrets();
  await using control = await createControlHost({
    host,
    port: 0,
    stateDir: folder.path,
    env,
    log: silentLog,
  });
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  for (const [head, status] of [
    [`GET http://[ HTTP/1.1\r\nHost: localhost\r\n${upgrade}`, 400],
    [`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${upgrade}`, 200],
    [
      `GET /v1/relays/r_00000001/link HTTP/1.1\r\nHost: localhost\r\n${upgrade}Authorization: Bearer nobody\r\n`,
      401,
    ],
    [
      `GET /v1/relays/r_00000001/link HTTP/1.1\r\nHost: localhost\r\n${upgrade}Authorization: Bearer ${adminToken}\r\n`,
      400,
    ],
    [`PUT /healthz HTTP/1.1\r\nHost: localhost\r\n${upgrade}`, 404],
  ] as const) {
    const socket = await dial(control.port);
    socket.write(`${head}\r\n`);
    const { bytes } = await readToEnd(socket);
    socket.destroy();
    assert.match(bytes.toString(), new RegExp(`^HTTP/1.1 ${status} `), head);
  }
  const h2c = "Connection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 2\r\n";
  const ordinary = await dial(control.port);
  ordinary.write(
    `POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\n${h2c}Authorization: Bearer ${adminToken}\r\n\r\n{}`,
  );
  assert.match(
    (await readToEnd(ordinary)).bytes.toString(),
    /^HTTP\/1.1 400 [^]*target: /,
    "an upgrade to something else is ignored",
  );
  ordinary.destroy();
  const gone = await dial(control.port);
  gone.write(
    `GET /v1/relays/r_00000001/link HTTP/1.1\r\nHost: localhost\r\n${upgrade}Authorization: Bearer ${adminToken}\r\n\r\n`,
  );
  gone.resetAndDestroy();
  assert.deepEqual(await createApi({ url: control.url }).health(), { status: "ok" });
});

test("an alarm that fails is tried again, one that was set while it ran is kept, overdue ones wait after a start", async () => {
  await using folder = await createTempDir();
  using database = openDatabase(join(folder.path, "alarms.db"));
  database.setAlarm("OLD/a", Date.now() - 1_000);
  const runs: string[] = [];
  const ran = Promise.withResolvers<void>();
  let firstAt = 0;
  {
    await using alarms = createAlarms({
      database,
      log: silentLog,
      run: async (object) => {
        runs.push(object);
        if (object === "X/fails") throw new Error("not today");
        if (object === "X/again" && runs.filter((one) => one === "X/again").length === 1)
          alarms.set("X/again", Date.now());
        else if (object === "X/again") ran.resolve();
      },
    });
    alarms.set("X/fails", Date.now());
    alarms.set("X/cleared", Date.now() + 5);
    alarms.set("X/cleared", null);
    alarms.set("X/again", Date.now());
    firstAt = Date.now();
    await ran.promise;
  }
  assert.deepEqual(runs.sort(), ["X/again", "X/again", "X/fails"]);
  const left = database.nextAlarms(10);
  assert.deepEqual(left.map(({ object }) => object).sort(), ["OLD/a", "X/fails"]);
  assert.ok(
    left.every(({ at }) => at > firstAt),
    "both later",
  );
});

test("storage of one object is its own: keys, prefixes, pages, transactions and its erasure", async () => {
  await using folder = await createTempDir();
  using database = openDatabase(join(folder.path, "kv.db"));
  const kv = database.kv("A/one");
  const other = database.kv("A/one/more");
  for (const key of ["p:1", "p:2", "p:3", "q:1"]) kv.put(key, { key });
  other.put("p:1", "other");
  assert.deepEqual(
    [...kv.list({ prefix: "p:" })].map(([key]) => key),
    ["p:1", "p:2", "p:3"],
  );
  assert.deepEqual([...kv.list({ prefix: "p:", startAfter: "p:1", limit: 1 })], [["p:2", { key: "p:2" }]]);
  assert.throws(() =>
    database.transaction(() => {
      kv.put("p:1", "changed");
      throw new Error("no");
    }),
  );
  assert.deepEqual(kv.get("p:1"), { key: "p:1" });
  assert.equal(kv.delete("p:1"), true);
  assert.equal(kv.delete("p:1"), false);
  assert.equal(kv.get("p:1"), undefined);
  database.erase("A/one");
  assert.deepEqual([...kv.list({ prefix: "" })], []);
  assert.equal(other.get("p:1"), "other");
});

/** Sockets and timers that keep this process alive. */
function openResources(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
}

test("who asks is told its own address and port, whatever it writes into headers", async () => {
  await using folder = await createTempDir();
  await using control = await createControlHost({
    host,
    port: 0,
    stateDir: folder.path,
    env: await createSecrets(),
    log: silentLog,
  });
  const socket = await dial(control.port);
  const { localPort } = socket;
  socket.write(
    "GET /v1/address HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\nConnection: close\r\n\r\n",
  );
  const { bytes } = await readToEnd(socket);
  socket.destroy();
  const answer = String(bytes);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.ok(answer.includes(JSON.stringify({ address: host, port: localPort })), answer);
});
