import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { decodeProtectedHeader } from "jose";
import { overlapSeconds } from "../../../control/signing-keys.ts";
import { loadSecrets } from "../../../embedded/secrets.ts";
import type { Api } from "../../../protocol/client.ts";
import { formatHalfRequest } from "../../../protocol/handshake.ts";
import { limits } from "../../../protocol/limits.ts";
import { createTicketVerifier, importSigningKey, signTicket } from "../../../protocol/tickets.ts";
import { startLocalEcho } from "../../agent/local-service.ts";
import { startPlace } from "../../agent/place.ts";
import type { Place } from "../../agent/place.ts";
import { expose } from "../../agent/watched-exposure.ts";
import { attack } from "../../fixtures/attack.ts";
import { dial } from "../../fixtures/clients.ts";
import { until } from "../../fixtures/within.ts";

const from = import.meta.url;
/** The relay hears of new keys with its heartbeat. */
const heard = 4 * limits.heartbeatMs;

attack({ point: 15, from, title: "uses a signing key that was rotated away" }, async () => {
  let skipped = 0;
  const now = (): number => Date.now() + skipped * 1_000;
  await using service = await startLocalEcho();
  await using place = await startPlace({ now });
  const [stolen] = loadSecrets(place.stateDir).signingKeys;
  assert.ok(stolen);
  await using run = await expose(place, service.port);
  const ready = await run.saw("ready");
  assert.ok(ready.type === "ready");
  const port = Number(ready.address.split(":").at(-1));
  const live = await dial(port);
  assert.equal(await echoed(live), "hello");
  const before = await clientTicket(place.api);
  const claims = await createTicketVerifier(await place.api.jwks(), before.relay, Date.now)(before.ticket);
  const forged = await signTicket(claims, await importSigningKey(stolen.jwk));

  const rotated = await place.api.rotateSigningKey();
  assert.deepEqual(await place.api.rotateSigningKey(), rotated, "a rotation that waits is not begun twice");
  assert.deepEqual(await kidsOf(place), [stolen.jwk.kid, rotated.kid]);
  assert.equal(kidOf((await clientTicket(place.api)).ticket), stolen.jwk.kid, "relays have not heard yet");
  await until(heard, "the relay knows both keys", () => knows(place, stolen.jwk.kid, rotated.kid));
  skipped = limits.signingKeyDelaySeconds;
  const after = await clientTicket(place.api);
  assert.equal(kidOf(after.ticket), rotated.kid);
  for (const ticket of [before.ticket, after.ticket]) assert.equal(await statusOf(place, ticket), 101);
  const next = await dial(port);
  assert.equal(await echoed(next), "hello", "new clients come");

  skipped += overlapSeconds;
  await until(heard, "the relay has forgotten the old key", () => knows(place, rotated.kid));
  assert.deepEqual(await kidsOf(place), [rotated.kid]);
  for (const ticket of [before.ticket, forged]) assert.equal(await statusOf(place, ticket), 401);
  assert.equal(await statusOf(place, after.ticket), 101);
  for (const client of [live, next]) {
    assert.equal(await echoed(client), "hello", "its pair goes on");
    client.destroy();
  }
  return { tries: 2, answer: "refused after the overlap; pairs live, new tickets are the new key's" };
});

async function clientTicket(api: Api): Promise<{ relay: string; ticket: string }> {
  const [placement] = (await api.requestTickets("desk")).placements;
  assert.ok(placement);
  return placement;
}

function kidOf(ticket: string): string | undefined {
  return decodeProtectedHeader(ticket).kid;
}

async function kidsOf({ api }: Place): Promise<unknown[]> {
  return (await api.jwks()).keys.map(({ kid }) => kid);
}

/** Whether the relay has exactly these keys, by what it keeps for its next start. */
async function knows({ stateDir }: Place, ...kids: string[]): Promise<true | undefined> {
  const memory = await readFile(join(stateDir, "relay-memory.json"), "utf8");
  const { jwks } = JSON.parse(memory) as { jwks: { keys: { kid: string }[] } }; // the relay wrote it
  return kids.join(" ") === jwks.keys.map(({ kid }) => kid).join(" ") ? true : undefined;
}

/** What the relay answers to a client's half with this ticket. */
async function statusOf({ relay }: Place, ticket: string): Promise<number> {
  const socket = await dial(relay.sharedPort);
  socket.write(formatHalfRequest("client", "relay", ticket));
  const [head] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  const status = Number(head.toString().split(" ")[1]);
  return status === 100 ? 101 : status;
}

async function echoed(client: Socket): Promise<string> {
  client.write("hello");
  const [bytes] = (await once(client, "data")) as [Buffer];
  return bytes.toString();
}
