import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { claimPorts } from "../fixtures/ports.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { relayMetrics } from "../fixtures/metrics.ts";

const skip = process.platform === "linux" ? false : "counts descriptors in /proc";
const descriptors = 256;
const prefix = ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh"];

test(
  "without descriptors left, pairs go on, drops are counted, and everything comes back",
  { skip },
  async () => {
    await using dir = await createTempDir();
    await using ports = await claimPorts();
    await using service = await startEcho();
    const range = `${ports.port(0)}-${ports.port(9)}`;
    const args = ["up", "--control-port", "0", "--relay-port", "0", "--ports", range];
    await using up = startRdv(args, { stateDir: dir.path, prefix });
    const { control = "", token = "", relay = "" } = await up.event("ready");
    await using agent = startRdv(["expose", String(service.port), "--control", control, "--token", token], {
      stateDir: join(dir.path, "agent"),
    });
    const { address = "" } = await agent.event("ready");
    const port = Number(address.split(":")[1]);
    const living = connect(port, "127.0.0.1");
    await echoes(living);

    const flood = Array.from({ length: 2 * descriptors }, () => hold(port));
    await waitFor(
      async () => flood.filter(({ closed }) => closed).length > descriptors / 2,
      "dropped clients",
    );
    await echoes(living);
    assert.ok((await readdir(`/proc/${up.pid}/fd`)).length < descriptors, "some descriptors are left");
    assert.equal(
      (await fetch(`${control}/healthz`)).status,
      200,
      "the control plane answers beside a full relay",
    );
    for (const socket of flood) socket.resetAndDestroy();
    await waitFor(async () => /^rdv_relay_pairs 1$/m.test(await relayMetrics(relay)), "one pair is left");
    assert.match(await relayMetrics(relay), /^rdv_relay_dropped_total [1-9]/m);

    const other = Array.from({ length: 2 * descriptors }, () => hold(Number(new URL(control).port)));
    await waitFor(
      async () => other.filter(({ closed }) => closed).length > descriptors / 2,
      "dropped requests",
    );
    await echoes(living);
    for (const socket of other) socket.resetAndDestroy();
    const late = connect(port, "127.0.0.1");
    await echoes(late);
    for (const socket of [living, late]) socket.destroy();
  },
);

function hold(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  return socket.on("error", () => {}).resume();
}

async function echoes(socket: Socket): Promise<void> {
  socket.pause();
  socket.write("x");
  const [answer] = await once(socket.resume(), "data", { signal: AbortSignal.timeout(30_000) });
  assert.equal(String(answer), "x");
}

async function waitFor(check: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await check().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function startEcho() {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has an address object
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
