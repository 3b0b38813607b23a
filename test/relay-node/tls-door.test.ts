import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { test } from "node:test";
import { dialRelay } from "../../agent/relay-dial.ts";
import { listenTcp } from "../../net/listen.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { createTlsDoor } from "../../relay-node/tls-door.ts";
import { readToEnd } from "../fixtures/clients.ts";

const mayBegin = (): boolean => true;

for (const answer of ["", "x"])
  test(`an end right behind the handshake is an end, after ${answer.length} bytes`, async () => {
    const identity = createIdentity();
    using door = createTlsDoor({
      identity,
      handshakeMs: 5_000,
      mayBegin,
      serve: (socket) => socket.end(answer),
    });
    await using listener = await listenTcp({
      host: "127.0.0.1",
      port: 0,
      onConnection: (socket) => door.enter(socket),
    });
    const relay = { host: "127.0.0.1", sharedPort: listener.port, tls: identity.fingerprint };
    const socket = await dialRelay(relay, { signal: AbortSignal.timeout(10_000) });
    const { bytes, how } = await readToEnd(socket);
    assert.deepEqual([bytes.toString(), how], [answer, "end"]);
    socket.destroy();
  });

test("a byte that came in time counts, although this process was held up until it was too late", async () => {
  const served = Promise.withResolvers<Buffer>();
  const entered = Promise.withResolvers<void>();
  const identity = createIdentity();
  using door = createTlsDoor({
    identity,
    handshakeMs: 100,
    mayBegin,
    serve: (socket) => socket.once("data", served.resolve),
  });
  const onConnection = (socket: Socket): void => {
    door.enter(socket);
    entered.resolve();
  };
  await using listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection });
  const client = connect({ host: "127.0.0.1", port: listener.port });
  client.once("close", () => served.reject(new Error("it was cut")));
  client.on("error", () => {}); // its close tells
  await entered.promise;
  client.write("G");
  const until = performance.now() + 200;
  while (performance.now() < until);
  assert.equal(String(await served.promise), "G");
  client.destroy();
});
