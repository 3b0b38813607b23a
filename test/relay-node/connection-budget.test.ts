import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { listenTcp } from "../../net/listen.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { formatHalfRequest } from "../../protocol/handshake.ts";
import { createConnectionBudget } from "../../relay-node/connection-budget.ts";
import { createTlsDoor } from "../../relay-node/tls-door.ts";
import { until, within } from "../fixtures/within.ts";
import { readHalf, startBench } from "./harness.ts";

for (const how of ["plain", "TLS"] as const)
  test(`a connection that gives way while its end goes out is closed, ${how}`, async () => {
    const budget = createConnectionBudget(2);
    const served = Promise.withResolvers<{ socket: Socket; outer: Socket }>();
    const full = Promise.withResolvers<void>();
    const arrived: Socket[] = [];
    using door = createTlsDoor({
      identity: createIdentity(),
      handshakeMs: 10_000,
      mayBegin: () => true,
      serve(socket, outer) {
        if (socket !== outer) budget.carry(socket, outer);
        served.resolve({ socket: socket.on("error", () => {}), outer });
      },
    });
    function onConnection(socket: Socket): void {
      socket.on("error", () => {});
      arrived.push(socket);
      if (arrived.length === 3) return void endThenAdmit(socket);
      assert.ok(budget.admit(socket));
      if (arrived.length === 1) door.enter(socket);
      else full.resolve();
    }
    const admitted = Promise.withResolvers<boolean>();
    async function endThenAdmit(newcomer: Socket): Promise<void> {
      const { socket } = await served.promise;
      socket.end();
      process.nextTick(() => admitted.resolve(budget.admit(newcomer)));
    }
    await using listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection });
    const from = { host: "127.0.0.1", port: listener.port, localAddress: "127.0.5.1" };
    const client = how === "TLS" ? connectTls({ ...from, rejectUnauthorized: false }) : connect(from);
    client.on("error", () => {}).write("G");
    const { outer } = await served.promise;
    const second = connect(from).on("error", () => {});
    await full.promise;
    const closed = once(outer, "close");
    const newcomer = connect({ ...from, localAddress: "127.0.6.1" }).on("error", () => {});
    assert.ok(await admitted.promise);
    await within(10_000, closed, () => "the close of what gave way");
    for (const socket of [client, second, newcomer, ...arrived]) socket.destroy();
    await until(10_000, "no place is taken", async () => (budget.inUse === 0 ? true : undefined));
  });

test("listeners of one account leave room for those of others", () => {
  const budget = createConnectionBudget(100);
  const fill = (account: string): number => {
    for (let held = 0; ; held += 1)
      try {
        budget.hold(account);
      } catch {
        return held;
      }
  };
  assert.equal(fill("a_greedy"), 95);
  for (let other = 0; other < 3; other += 1) budget.hold(`a_other${other}`);
});

test("a session's port for which there is no place is not opened", async () => {
  await using bench = await startBench({ maxConnections: 1 });
  const half = readHalf(connect({ host: "127.0.0.1", port: bench.relay.sharedPort }));
  half.socket.write(formatHalfRequest("agent", "relay", await bench.ticket()));
  assert.equal((await half.answer()).type, "refused");
  half.socket.destroy();
  await using again = await listenTcp({
    host: "127.0.0.1",
    port: bench.clientPort,
    onConnection: (socket) => socket.destroy(),
  });
  assert.equal(again.port, bench.clientPort);
});
