import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { dial, dialHalf, readHalf, startBench, until, waitingHalf } from "../relay-node/harness.ts";

const upgrade = "Connection: Upgrade\r\nUpgrade: rdv/1\r\n";

test("a half whose request announces a body is refused, whatever comes behind it", async () => {
  await using bench = await startBench();
  const head = `GET /v1/agent HTTP/1.1\r\nHost: relay\r\n${upgrade}Authorization: Bearer ${await bench.ticket()}\r\n`;
  const bodies = [
    "Content-Length: 5\r\n\r\n",
    "Content-Length: 5\r\n\r\nhello",
    "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
  ];
  for (const body of bodies) {
    const half = readHalf(await dial(bench.relay.sharedPort));
    half.socket.write(head + body);
    const answer = await half.answer();
    assert.ok(answer.type === "refused" && answer.status === 400, JSON.stringify([body, answer]));
  }
  assert.equal(bench.relay.metrics().halvesWaiting, 0);
});

test("tickets forged with the public key, without signature or with other keys named are refused", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const [, claims = "", signature = ""] = ticket.split(".");
  const head = (fields: object): string => Buffer.from(JSON.stringify(fields)).toString("base64url");
  const memory = join(bench.stateDir, "relay-memory.json");
  await until(() => existsSync(memory), "the public key on disk");
  const x = /"x":"([^"]+)"/.exec(await readFile(memory, "utf8"))?.[1] ?? "";
  assert.notEqual(x, "");
  const hmac = (key: Buffer): string => {
    const text = `${head({ alg: "HS256", kid: "test-key" })}.${claims}`;
    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  };
  const forged = [
    `${head({ alg: "none", kid: "test-key" })}.${claims}.`,
    hmac(Buffer.from(x, "base64url")),
    hmac(Buffer.from(x)),
    `${head({ alg: "EdDSA", kid: "__proto__" })}.${claims}.${signature}`,
    `${head({ alg: "EdDSA", kid: "../test-key" })}.${claims}.${signature}`,
    `${head({ alg: "EdDSA", kid: "test-key", b64: false, crit: ["b64"] })}.${claims}.${signature}`,
    `${ticket}.x`,
    `${ticket}=`,
  ];
  for (const one of forged) {
    const answer = await (await dialHalf(bench, one)).answer();
    assert.ok(answer.type === "refused" && answer.status === 401, one);
  }
  assert.equal(bench.relay.metrics().sessions, 0);
});

test("a storm of clients that connect and reset leaves nothing behind", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench);
  const storm = async (): Promise<void> => {
    for (let i = 0; i < 100; i += 1) {
      const socket = connect(bench.clientPort, "127.0.0.1").on("error", () => {});
      await Promise.race([once(socket, "connect"), once(socket, "close")]);
      socket.resetAndDestroy();
    }
  };
  await Promise.all(Array.from({ length: 20 }, storm));
  half.socket.destroy();
  await until(() => {
    const { clientsWaiting, halvesWaiting, pairs } = bench.relay.metrics();
    return clientsWaiting + halvesWaiting + pairs === 0;
  }, "nobody left");
  const metrics = bench.relay.metrics();
  const ends = [...metrics.unpairedEnds.values(), ...metrics.pairEnds.values(), ...metrics.pairEnds.values()];
  const accepted = metrics.accepted.session + metrics.accepted.shared;
  assert.equal(
    ends.reduce((sum, count) => sum + count, 0),
    accepted,
    "every connection has one outcome",
  );
});
