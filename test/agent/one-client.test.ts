import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { startForward } from "../../agent/connect/forward.ts";
import type { ForwardEvent } from "../../agent/connect/forward.ts";
import { createLivePairs } from "../../agent/live-pairs.ts";
import type { PairEvent } from "../../agent/live-pairs.ts";
import { createAdmission } from "../../agent/secure/admission.ts";
import { createLog, silentLog } from "../../net/log.ts";
import { createPortablePump } from "../../net/portable-pump.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { createWireMaker, gone } from "../net/pump/sockets.ts";

const head = { pair: "p", client: "192.0.2.1:5", demand: 0, ticketed: true };
const none = Buffer.alloc(0);

test("what nobody foresaw while a client is let in costs that client its connection, and is in the log", async () => {
  await using wires = await createWireMaker();
  const { outer, inner } = await wires.wire();
  inner.on("error", () => {});
  let logged = "";
  const log = createLog({ write: (line) => (logged += line), level: "error" });
  // A key that is not the certificate's: TLS cannot even begin.
  const identity = { ...createIdentity(), key: createIdentity().key };
  const enter = createAdmission({ identity, onlyTicketed: false, log })(head);
  assert.ok(enter);
  assert.equal(await enter(inner, none, new AbortController().signal), undefined);
  assert.match(logged, /a client is not let in client=192\.0\.2\.1:5 pair=p error=/);
  await gone(outer);
});

test("what nobody foresaw while a client is served ends its pair, and no more", async () => {
  await using wires = await createWireMaker();
  await using pump = createPortablePump();
  const { outer, inner } = await wires.wire();
  inner.on("error", () => {});
  const events: PairEvent[] = [];
  let logged = "";
  const log = createLog({ write: (line) => (logged += line), level: "error" });
  const dial = async () => Promise.reject(new TypeError("no such thing"));
  const pairs = createLivePairs({ dial, pump, log, onEvent: (event) => events.push(event) });
  await pairs.serve("s", head, inner, none);
  assert.deepEqual(
    events.map((event) => (event.type === "closed" ? event.outcome : event.type)),
    ["paired", "cut"],
  );
  assert.equal(pairs.size, 0);
  assert.match(logged, /a client was not served error="?TypeError: no such thing/);
  await gone(outer);
});

test("what nobody foresaw for one program that comes to a local port is told, and the next one is served", async () => {
  await using pump = createPortablePump();
  const events: ForwardEvent[] = [];
  const connector = { open: async () => Promise.reject(new TypeError("no such thing")) };
  const local = { host: "127.0.0.1", port: 0 };
  const onEvent = (event: ForwardEvent): void => void events.push(event);
  await using forward = await startForward({ local, connector, pump, log: silentLog, onEvent });
  const port = Number(forward.address.split(":").at(-1));
  for (let round = 1; round <= 2; round += 1) {
    const program = connect({ host: "127.0.0.1", port });
    program.on("error", () => {}); // it is reset, maybe before it knows that it is connected
    await gone(program);
    const last = events.at(-1);
    assert.ok(events.length === round && last?.type === "failed");
    assert.match(last.error.message, /no such thing/);
  }
});
