import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { Problem } from "../../protocol/errors.ts";
import { exportJWK, generateKeyPair } from "jose";
import { importSigningKey, signTicket } from "../../protocol/tickets.ts";
import type { Ticket } from "../../protocol/tickets.ts";
import { dial, dialClient, dialHalf, readHalf, startBench, until, waitingHalf } from "./harness.ts";
import type { Half } from "./harness.ts";

test("tickets that are not good are refused by status and code, and the connection ends", async () => {
  await using bench = await startBench();
  const soon = Math.floor(Date.now() / 1_000);
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const strange = await importSigningKey({ ...(await exportJWK(privateKey)), kid: "test-key" });
  const forged = await signTicket(
    { ...baseTicket, clientPort: bench.clientPort, expires: soon + 3_600 },
    strange,
  );
  const cases: [string, string, number][] = [
    ["not-a-ticket", "ticket_invalid", 401],
    [forged, "ticket_invalid", 401],
    [await bench.ticket({ expires: soon - 120 }), "ticket_expired", 401],
    [await bench.ticket({ relay: "r_anotherrelay" }), "wrong_relay", 421],
    [await bench.ticket({ kind: "client" }), "forbidden", 403],
  ];
  for (const [ticket, code, status] of cases)
    assert.deepEqual(await refusal(await dialHalf(bench, ticket)), [status, code]);
  const metrics = bench.relay.metrics();
  assert.equal(metrics.unpairedEnds.get("agent refused"), cases.length);
  assert.equal(metrics.refused.get("ticket_invalid"), 2);
  assert.equal(metrics.sessions, 0);
});

test("requests that are not those of a half get a problem document", async () => {
  await using bench = await startBench();
  const head = "Host: localhost\r\nConnection: Upgrade\r\n";
  const cases: [string, number, string][] = [
    [`GET /v1/agent HTTP/1.1\r\n${head}Upgrade: websocket\r\n\r\n`, 426, "upgrade_required"],
    ["GET /v1/agent HTTP/1.1\r\nHost: localhost\r\n\r\n", 426, "upgrade_required"],
    [`GET /v1/agent HTTP/1.1\r\n${head}Upgrade: rdv/1\r\n\r\n`, 401, "unauthorized"],
    [`GET /v1/nothing HTTP/1.1\r\n${head}Upgrade: rdv/1\r\n\r\n`, 404, "not_found"],
    [`POST /v1/agent HTTP/1.1\r\n${head}Upgrade: rdv/1\r\n\r\n`, 404, "not_found"],
    [`GET /v1/agent HTTP/1.1\r\n${head}Upgrade: rdv/1\r\nX: ${"x".repeat(9_000)}\r\n\r\n`, 413, "too_large"],
    ["\u0016\u0003\u0001 garbage\r\n\r\n", 400, "bad_request"],
    ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "not_found"],
    ["DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"],
  ];
  for (const [request, status, code] of cases) {
    const half = readHalf(await dial(bench.relay.sharedPort));
    half.socket.write(request, "latin1");
    assert.deepEqual(await refusal(half), [status, code], request.slice(0, 60));
  }
});

test("bytes behind an agent's request, or before its 101, are a protocol error", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const atOnce = readHalf(await dial(bench.relay.sharedPort));
  atOnce.socket.write(
    `GET /v1/agent HTTP/1.1\r\nHost: r\r\nConnection: Upgrade\r\nUpgrade: rdv/1\r\nAuthorization: Bearer ${ticket}\r\n\r\nSSH-2.0`,
  );
  assert.deepEqual(await refusal(atOnce), [400, "bad_request"]);
  const later = await waitingHalf(bench, ticket);
  later.socket.write("SSH-2.0");
  assert.deepEqual(await refusal(later), [400, "bad_request"]);
  assert.equal(bench.relay.metrics().unpairedEnds.get("agent protocol_error"), 2);
});

test("a handshake that never ends is answered and closed", async () => {
  await using bench = await startBench({ handshakeMs: 200 });
  const silent = readHalf(await dial(bench.relay.sharedPort));
  const slow = readHalf(await dial(bench.relay.sharedPort));
  slow.socket.write("GET /v1/agent HTTP/1.1\r\nHost: localhost\r\n");
  const drip = setInterval(() => slow.socket.write("X: y\r\n"), 20);
  slow.socket.once("close", () => clearInterval(drip));
  assert.deepEqual(await refusal(silent), [408, "timeout"]);
  assert.deepEqual(await refusal(slow), [408, "timeout"]);
  clearInterval(drip);
});

test("a half that leaves while it waits is never paired", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const stays = await waitingHalf(bench, ticket);
  const [ends, breaks] = [await waitingHalf(bench, ticket), await waitingHalf(bench, ticket)];
  ends.socket.end();
  breaks.socket.resetAndDestroy();
  await until(() => bench.relay.metrics().unpairedEnds.get("agent gone") === 2, "both noticed");
  const client = await dialClient(bench);
  assert.equal((await stays.answer()).type, "paired");
  client.socket.destroy();
});

test("a client that nobody serves is closed in time, with the reason in log and metrics", async () => {
  await using bench = await startBench({ clientWaitMs: 50 });
  const half = await waitingHalf(bench);
  half.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 0, "half gone");
  const client = await dialClient(bench);
  client.socket.write("anybody?");
  assert.equal((await client.rest()).length, 0);
  assert.equal(bench.relay.metrics().unpairedEnds.get("client no_agent"), 1);
  assert.equal(bench.lines.filter((line) => line.includes("outcome=no_agent")).length, 1);
});

test("a client with a ticket that nobody serves hears 504", async () => {
  await using bench = await startBench({ clientWaitMs: 50 });
  const client = await dialHalf(bench, await bench.ticket({ kind: "client" }), "client");
  assert.equal((await client.answer()).type, "waiting");
  assert.deepEqual(await refusal(client), [504, "no_agent"]);
  await until(() => bench.relay.metrics().sessions === 0, "nothing remembered");
});

test("a client that waits and leaves, or resets, is forgotten", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench);
  half.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 0, "half gone");
  const [ends, breaks] = [await dialClient(bench), await dialClient(bench)];
  breaks.socket.write("some bytes");
  await until(() => bench.relay.metrics().clientsWaiting === 2, "both wait");
  ends.socket.end();
  breaks.socket.resetAndDestroy();
  await until(() => bench.relay.metrics().unpairedEnds.get("client gone") === 2, "both noticed");
  assert.equal(bench.relay.metrics().clientsWaiting, 0);
});

test("the allow-list of the newest ticket decides which addresses may connect", async () => {
  await using bench = await startBench();
  const expires = Math.floor(Date.now() / 1_000) + 3_600;
  const half = await waitingHalf(
    bench,
    await bench.ticket({ allow: ["192.0.2.0/24", "2001:db8::/32"], expires }),
  );
  const stranger = await dialClient(bench);
  assert.equal((await stranger.rest()).length, 0);
  assert.equal(bench.relay.metrics().unpairedEnds.get("client not_allowed"), 1);
  const ticketed = await dialHalf(
    bench,
    await bench.ticket({ kind: "client", allow: ["192.0.2.0/24"] }),
    "client",
  );
  assert.deepEqual(await refusal(ticketed), [403, "forbidden"]);
  await waitingHalf(bench, await bench.ticket({ allow: ["127.0.0.0/8"], expires: expires + 1 }));
  const friend = await dialClient(bench);
  friend.socket.write("x");
  await until(() => bench.relay.metrics().pairs === 1, "friend is paired");
  half.socket.destroy();
});

test("a newer agent replaces the older one; the older one's pair goes on", async () => {
  await using bench = await startBench();
  const old = await bench.ticket({ epoch: 1 });
  const paired = await waitingHalf(bench, old);
  const client = await dialClient(bench);
  assert.equal((await paired.answer()).type, "paired");
  const waiting = await waitingHalf(bench, old);
  const fresh = await waitingHalf(bench, await bench.ticket({ epoch: 2 }));
  assert.deepEqual(await refusal(waiting), [409, "replaced"]);
  assert.deepEqual(await refusal(await dialHalf(bench, old)), [409, "replaced"]);
  client.socket.write("still here");
  assert.equal((await paired.received(10)).toString(), "still here");
  const next = await dialClient(bench);
  assert.equal((await fresh.answer()).type, "paired");
  next.socket.destroy();
});

test("a port that cannot be opened is told to the half", async () => {
  await using bench = await startBench();
  const blocker = createServer().listen(bench.clientPort, "127.0.0.1");
  await once(blocker, "listening");
  assert.deepEqual(await refusal(await dialHalf(bench, await bench.ticket())), [409, "port_unavailable"]);
  assert.deepEqual(await refusal(await dialHalf(bench, await bench.ticket({ clientPort: 80 }))), [
    409,
    "port_unavailable",
  ]);
  blocker.close();
  await once(blocker, "close");
  await waitingHalf(bench);
});

test("a port in use by another session is not given away, one that rests is", async () => {
  await using bench = await startBench();
  const other = await bench.ticket({ session: "s_anothersession00000000" });
  const half = await waitingHalf(bench);
  assert.deepEqual(await refusal(await dialHalf(bench, other)), [409, "port_unavailable"]);
  half.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 0, "half gone");
  const heir = await waitingHalf(bench, other);
  const client = await dialClient(bench);
  assert.equal((await heir.answer()).type, "paired");
  client.socket.destroy();
  await until(() => bench.relay.metrics().sessions === 1, "only the heir is left");
});

test("sessions of different owners never meet, even under the same id", async () => {
  await using bench = await startBench({ clientWaitMs: 100 });
  const half = await waitingHalf(bench);
  const stranger = await bench.ticket({ kind: "client", owner: "a_stranger" });
  const client = await dialHalf(bench, stranger, "client");
  assert.equal((await client.answer()).type, "waiting");
  assert.deepEqual(await refusal(client), [504, "no_agent"]);
  assert.equal(bench.relay.metrics().halvesWaiting, 1);
  half.socket.destroy();
});

test("connections beyond the descriptor budget are dropped and counted", async () => {
  // Three halves, and the listener of the session.
  await using bench = await startBench({ maxConnections: 4 });
  const ticket = await bench.ticket();
  const halves = [
    await waitingHalf(bench, ticket),
    await waitingHalf(bench, ticket),
    await waitingHalf(bench, ticket),
  ];
  // The reset may come before or after the client's own side of the connect has finished.
  await assert.rejects(
    dial(bench.relay.sharedPort).then(async (extra) => readHalf(extra).rest()),
    /ECONNRESET|was reset/,
  );
  assert.equal(bench.relay.metrics().dropped, 1);
  halves[0]?.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 2, "room again");
  await waitingHalf(bench, ticket);
});

const baseTicket: Omit<Ticket, "clientPort" | "expires"> = {
  kind: "agent",
  relay: "r_relayundertest",
  session: "s_sessionundertest0000",
  owner: "a_owner",
  name: "test",
  epoch: 1,
  allow: [],
  once: false,
  pairs: 256,
};

/** Status and code of the refusal, after the relay's FIN. */
async function refusal(half: Half): Promise<[number, string]> {
  const answer = await half.answer();
  assert(answer.type === "refused", `refused, not ${JSON.stringify(answer)}`);
  const problem = Problem.parse(JSON.parse(answer.body));
  await half.rest();
  half.socket.end();
  return [answer.status, problem.code];
}
