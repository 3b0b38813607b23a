import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { openHalf } from "../../agent/half.ts";
import { createRelayRoute } from "../../agent/relay-route.ts";
import type { RelayRoute } from "../../agent/relay-route.ts";
import { createLog } from "../../net/log.ts";
import { toProblem, RdvError } from "../../protocol/errors.ts";
import { startBench } from "../relay-node/harness.ts";
import type { Bench } from "../relay-node/harness.ts";
import { startStandInProxy, tunnel } from "../net/proxy/stand-in-proxy.ts";
import { startLocalService } from "./local-service.ts";

/** What stands between agent and relay: WebSockets pass, and `meddle` does what it likes with every other upgrade. */
async function startMiddlebox(bench: Bench, meddle: (socket: Socket) => void) {
  return await startLocalService((socket) => {
    socket.once("data", (head: Buffer) => {
      if (!head.includes("Upgrade: websocket")) return meddle(socket);
      const relay = connect({ host: "127.0.0.1", port: bench.relay.sharedPort });
      relay.on("error", () => socket.destroy());
      socket.on("close", () => relay.destroy());
      relay.write(head);
      socket.pipe(relay).pipe(socket);
    });
  });
}

/** Opens a half and closes it again; resolves to `accepted`, or to why it was lost. */
async function tryHalf(route: RelayRoute, port: number, ticket: string, dialMs = 10_000): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const half = openHalf({
    kind: "agent",
    relay: { host: "127.0.0.1", sharedPort: port, tls: null, ticket },
    route,
    dialMs,
    onAccepted: () => resolve("accepted"),
    onPaired: (_head, socket) => socket.destroy(),
    onLost: (failure) => resolve(failure.type),
  });
  const how = await promise;
  half.close();
  return how;
}

const stripped = JSON.stringify(toProblem(new RdvError("upgrade_required")));
const meddlers: readonly (readonly [string, (socket: Socket) => void, dialMs?: number])[] = [
  [
    "answers with a page of its own",
    (s) => s.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\n<p>!"),
  ],
  [
    "says 100 by itself and takes the upgrade out",
    (s) =>
      s.end(
        `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 426 Upgrade Required\r\nContent-Length: ${stripped.length}\r\n\r\n${stripped}`,
      ),
  ],
  ["closes the connection", (s) => s.end()],
  ["swallows the request", () => {}, 1_500],
];

for (const [what, meddle, dialMs] of meddlers)
  test(`a half goes inside a WebSocket after two that met something that ${what}`, async () => {
    await using bench = await startBench();
    await using middlebox = await startMiddlebox(bench, meddle);
    const lines: string[] = [];
    const log = createLog({ write: (line) => void lines.push(line), level: "info" });
    const route = createRelayRoute({ log });
    const ticket = await bench.ticket();
    const attempt = async (): Promise<string> => await tryHalf(route, middlebox.port, ticket, dialMs);
    assert.deepEqual([await attempt(), await attempt()], ["unreachable", "unreachable"]);
    assert.deepEqual([await attempt(), await attempt()], ["accepted", "accepted"]);
    assert.equal(lines.length, 1, "said once");
    assert.match(lines[0] ?? "", /going inside a WebSocket/);
  });

test("a refusal of the relay's own, and a port that is closed, are no reason for a WebSocket", async () => {
  await using bench = await startBench();
  const route = createRelayRoute({ patience: 1 });
  const { sharedPort } = bench.relay;
  assert.equal(await tryHalf(route, sharedPort, "no.ticket.atall"), "refused");
  assert.equal(route.turns, false);
  const closed = await startLocalService();
  await closed[Symbol.asyncDispose]();
  assert.equal(await tryHalf(route, closed.port, "t"), "unreachable");
  assert.equal(route.turns, false);
});

test("through a proxy the first half goes inside a WebSocket, and without one where the relay knows none", async () => {
  await using bench = await startBench();
  const carried: string[] = [];
  const note = (head: Buffer): void =>
    void carried.push(/Upgrade: (\S+)/.exec(head.toString("latin1"))?.[1] ?? "");
  await using old = await startLocalService((socket) => {
    socket.once("data", (head: Buffer) => {
      note(head);
      if (head.includes("websocket"))
        return void socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
      const relay = connect({ host: "127.0.0.1", port: bench.relay.sharedPort });
      socket.on("close", () => relay.destroy());
      relay.write(head);
      socket.pipe(relay).pipe(socket);
    });
  });
  await using stand = await startStandInProxy((socket) =>
    tunnel(socket, { host: "127.0.0.1", port: old.port }),
  );
  const route = createRelayRoute({ proxies: { for: () => stand.proxy }, patience: 1 });
  const ticket = await bench.ticket();
  assert.equal(await tryHalf(route, 8_788, ticket), "unreachable");
  assert.equal(route.turns, true);
  assert.equal(await tryHalf(route, 8_788, ticket), "accepted");
  assert.deepEqual(carried, ["websocket", "rdv/1"]);
});
