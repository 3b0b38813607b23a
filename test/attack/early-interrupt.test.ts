import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { createPump } from "../../net/create-pump.ts";
import { createLog, silentLog } from "../../net/log.ts";
import { createUp } from "../../embedded/up.ts";
import { startPlainRdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { within } from "../fixtures/within.ts";

test("an abort at any moment of the start ends the start, without an error in the log", async () => {
  const errors: string[] = [];
  const log = createLog({ write: (line) => void errors.push(line), level: "error" });
  await using pump = await createPump({ choice: "portable", log: silentLog });
  for (let turns = 0; turns < 60; turns += 1) {
    await using dir = await createTempDir();
    const controller = new AbortController();
    const started = createUp({
      stateDir: dir.path,
      host: "127.0.0.1",
      controlPort: 0,
      relayPort: 0,
      ports: { from: 23_200, to: 23_210 },
      region: "local",
      pump,
      log,
      signal: controller.signal,
    });
    const ended = started.then(
      async (up) => await up[Symbol.asyncDispose](),
      (error: unknown) => assert.equal(error, controller.signal.reason),
    );
    for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await within(10_000, ended, () => `the end of a start that was aborted after ${turns} turns`);
  }
  assert.deepEqual(errors, []);
});

test("Ctrl-C ends commands that wait for a control plane which never answers", async () => {
  await using dir = await createTempDir();
  await using silent = await listenSilently();
  const control = [
    "--control",
    `http://127.0.0.1:${silent.port}`,
    "--token",
    "rdv_admin_aaaaaaaaaaaaaaaaaaaa",
  ];
  const relay = [
    "relay",
    "--region",
    "x",
    "--public-host",
    "127.0.0.1",
    "--port",
    "0",
    "--ports",
    "23220-23230",
  ];
  for (const command of [relay, ["expose", "22"], ["sessions", "ls"]]) {
    await using running = startPlainRdv([...command, ...control], { stateDir: dir.path });
    await silent.nextConnection();
    running.kill("SIGINT");
    const { code } = await within(10_000, running.exited, () => `the end of ${command.join(" ")}`);
    assert.equal(code, 130, command[0]);
    assert.doesNotMatch(running.output().stdout + running.output().stderr, /ready|at .*\.ts:\d/);
  }
});

async function listenSilently() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {}).resume()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has an address object
    nextConnection: async () => await once(server, "connection", { signal: AbortSignal.timeout(15_000) }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
