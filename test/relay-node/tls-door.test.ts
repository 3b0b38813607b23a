import assert from "node:assert/strict";
import { test } from "node:test";
import { dialRelay } from "../../agent/relay-dial.ts";
import { listenTcp } from "../../net/listen.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { createTlsDoor } from "../../relay-node/tls-door.ts";
import { readToEnd } from "../fixtures/clients.ts";

for (const answer of ["", "x"])
  test(`an end right behind the handshake is an end, after ${answer.length} bytes`, async () => {
    const identity = createIdentity();
    using door = createTlsDoor({ identity, handshakeMs: 5_000, serve: (socket) => socket.end(answer) });
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
