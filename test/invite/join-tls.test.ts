import assert from "node:assert/strict";
import { test } from "node:test";
import { serveInvited } from "../../agent/invited.ts";
import type { InvitedEvent } from "../../agent/invited.ts";
import { parseTarget } from "../../agent/target.ts";
import { silentLog } from "../../net/log.ts";
import { createPortablePump } from "../../net/portable-pump.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { createApi } from "../../protocol/client.ts";
import { ask } from "../fixtures/clients.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";

const claim = { machine: "machine-number-one", host: "", user: "", method: "rdv", hostkey: "" };
const anotherKey = "A".repeat(43); // base64url of 32 bytes

test("an invited rdv dials its relay in TLS, and waits at none that shows another key", async () => {
  await using up = await startUp("--host", "0.0.0.0", "--public-host", "127.0.0.1");
  await using echo = await startEcho();
  await using pump = createPortablePump();
  const target = parseTarget(`127.0.0.1:${echo.port}`);
  const api = createApi({ url: up.control, token: up.token });
  const request = { target: target.label, inviter: "Anna", allow: ["127.0.0.0/8"] };
  const { code, session } = await api.createInvitation(request);
  const admission = await api.claimInvitation(code, claim);
  assert.match(admission.tls ?? "", /^[\w-]{43}$/, "the relay has a key");

  for (const [tls, expected] of [
    [anotherKey, "waiting"],
    [admission.tls, "ready"],
  ] as const) {
    const stop = new AbortController();
    const first = Promise.withResolvers<InvitedEvent>();
    const served = serveInvited({
      admission: { ...admission, tls },
      session: session.name,
      target,
      identity: createIdentity(),
      onlyTicketed: false,
      pump,
      log: silentLog,
      signal: stop.signal,
      onEvent: first.resolve,
    });
    const event = await first.promise;
    assert.equal(event.type, expected);
    if (event.type === "waiting") assert.match(event.reason, /key/);
    else
      assert.equal((await ask(Number(session.address.split(":").at(-1)), "hello")).bytes.toString(), "hello");
    stop.abort();
    assert.equal(await served, "aborted");
  }
});
