import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { openWebSocketStream } from "../../net/web-socket-dial.ts";
import { formatHalfRequest, webSocketPath } from "../../protocol/handshake.ts";
import type { HalfKind } from "../../protocol/handshake.ts";
import { dial, dialClient, readHalf, startBench, until } from "./harness.ts";
import type { Bench, Half } from "./harness.ts";

async function insideWebSocket(bench: Bench): Promise<Half> {
  const port = bench.relay.sharedPort;
  const options = { where: `127.0.0.1:${port}`, path: webSocketPath, signal: new AbortController().signal };
  return readHalf(await openWebSocketStream(await dial(port), { ...options, timeoutMs: 30_000 }));
}

async function webSocketHalf(bench: Bench, ticket?: string, kind: HalfKind = "agent"): Promise<Half> {
  const half = await insideWebSocket(bench);
  half.socket.write(formatHalfRequest(kind, "relay", ticket ?? (await bench.ticket())));
  return half;
}

/** A client that is joined with a half inside a WebSocket. */
async function pairUp(bench: Bench): Promise<{ client: Half; agent: Half }> {
  const agent = await webSocketHalf(bench);
  assert.equal((await agent.answer()).type, "waiting");
  const client = await dialClient(bench);
  assert.equal((await agent.answer()).type, "paired");
  return { client, agent };
}

test("a half inside a WebSocket waits, is paired, and carries bytes both ways", async () => {
  await using bench = await startBench();
  const before = bench.relay.metrics().descriptors;
  const { client, agent } = await pairUp(bench);
  client.socket.write("question");
  assert.equal(String(await agent.received(8)), "question");
  agent.socket.write("answer");
  assert.equal(String(await client.received(6)), "answer");
  client.socket.destroy();
  agent.socket.destroy();
  await until(
    () => bench.relay.metrics().descriptors <= before + 1,
    "every connection but the port given back",
  );
});

test("a half-closed question gets its late answer of 8 MiB through a WebSocket", async () => {
  await using bench = await startBench();
  const { client, agent } = await pairUp(bench);
  client.socket.end("question");
  assert.equal(String(await agent.rest()), "question");
  const answer = Buffer.alloc(8 * 1024 * 1024, "0123456789");
  agent.socket.end(answer);
  assert.ok(answer.equals(await client.rest()), "the whole answer, and then FIN");
});

test("a reset arrives as a reset on either side of a WebSocket", async () => {
  await using bench = await startBench();
  const first = await pairUp(bench);
  first.client.socket.resetAndDestroy();
  await assert.rejects(first.agent.rest(), { code: "ECONNRESET" });
  const second = await pairUp(bench);
  second.agent.socket.resetAndDestroy();
  await assert.rejects(second.client.rest(), { code: "ECONNRESET" });
});

test("a waiting half whose WebSocket goes is never paired", async () => {
  await using bench = await startBench();
  const gone = await webSocketHalf(bench);
  await gone.answer();
  gone.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 0, "the half to be forgotten");
  const { client, agent } = await pairUp(bench);
  agent.socket.end("served");
  assert.equal(String(await client.rest()), "served");
});

test("a refusal comes whole through a WebSocket", async () => {
  await using bench = await startBench();
  const half = await webSocketHalf(bench, "no.such.ticket");
  const answer = await half.answer();
  assert.equal(answer.type === "refused" && answer.status, 401);
  assert.equal((await half.rest()).length > 0, true);
});

test("a WebSocket in which nobody says anything is closed in time, and holds nothing", async () => {
  await using bench = await startBench({ handshakeMs: 1_000 });
  const before = bench.relay.metrics().descriptors;
  const silent = await insideWebSocket(bench);
  await assert.rejects(
    async () => {
      const answer = await silent.answer();
      assert.equal(answer.type === "refused" && answer.status, 408);
      silent.socket.resetAndDestroy();
      throw new Error("refused");
    },
    { message: "refused" },
  );
  await until(() => bench.relay.metrics().descriptors <= before, "the connection to be given back");
});

test("a WebSocket inside a WebSocket is refused", async () => {
  await using bench = await startBench();
  const outer = await insideWebSocket(bench);
  outer.socket.write(
    `GET ${webSocketPath} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
  );
  const answer = await outer.answer();
  assert.equal(answer.type === "refused" && answer.status, 404);
});

test("a message longer than any of ours, and a text, end the WebSocket", async () => {
  await using bench = await startBench();
  const before = bench.relay.metrics().descriptors;
  for (const frame of [
    Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]), // binary, masked, 1 GiB
    Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]), // text "a", masked
  ]) {
    const raw = connect({ host: "127.0.0.1", port: bench.relay.sharedPort, allowHalfOpen: true });
    raw.write(
      `GET ${webSocketPath} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
    );
    await once(raw, "data");
    raw.write(frame);
    raw.resume();
    await once(raw, "end");
    raw.destroy();
  }
  await until(() => bench.relay.metrics().descriptors <= before, "the connections to be given back");
});
