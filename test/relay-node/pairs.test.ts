import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { dialClient, dialHalf, startBench, until, waitingHalf } from "./harness.ts";

test("a client and a waiting half become a pair, and the half is told who came", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  const answer = await half.answer();
  assert(answer.type === "paired");
  assert.equal(answer.head.client, `127.0.0.1:${client.socket.localPort}`);
  assert.equal(answer.head.demand, 0);
  assert.match(answer.head.pair, /^[0-9a-f]{12}$/);
  client.socket.write("hello");
  assert.equal((await half.received(5)).toString(), "hello");
  half.socket.write("world");
  assert.equal((await client.received(5)).toString(), "world");
  client.socket.end();
  await half.rest();
  half.socket.end();
  await client.rest();
  await until(() => bench.relay.metrics().pairs === 0, "pair over");
  const metrics = bench.relay.metrics();
  assert.equal(metrics.pairEnds.get("closed"), 1);
  assert.deepEqual(metrics.bytes, { aToB: 5, bToA: 5 });
});

test("a request of 1 MiB with FIN gets its answer of 8 MiB, whole, however late", async () => {
  await using bench = await startBench();
  const [request, reply] = [randomBytes(1 << 20), randomBytes(8 << 20)];
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  client.socket.end(request);
  assert.equal((await half.answer()).type, "paired");
  assert(request.equals(await half.rest()));
  half.socket.end(reply);
  assert(reply.equals(await client.rest()));
});

test("a client that waits, speaks and ends before there is a half is served", async () => {
  await using bench = await startBench();
  const first = await waitingHalf(bench);
  const taken = await dialClient(bench);
  await first.answer();
  const early = randomBytes(300_000);
  const client = await dialClient(bench);
  client.socket.end(early);
  await until(() => bench.relay.metrics().clientsWaiting === 1, "client waits");
  const half = await waitingHalf(bench);
  assert.equal((await half.answer()).type, "paired");
  assert(early.equals(await half.rest()));
  half.socket.end("answer");
  assert.equal((await client.rest()).toString(), "answer");
  taken.socket.destroy();
});

test("a reset arrives as a reset, in either direction", async () => {
  await using bench = await startBench();
  for (const side of ["client", "agent"] as const) {
    const half = await waitingHalf(bench);
    const client = await dialClient(bench);
    await half.answer();
    const [breaks, sees] = side === "client" ? [client, half] : [half, client];
    breaks.socket.resetAndDestroy();
    await assert.rejects(sees.rest(), { code: "ECONNRESET" });
    await until(() => bench.relay.metrics().pairEnds.get(`reset_by_${side}`) === 1, `reset by ${side}`);
  }
});

test("clients that wait are counted as demand, and served in the order in which they came", async () => {
  await using bench = await startBench();
  const first = await waitingHalf(bench);
  const clients = [await dialClient(bench)];
  await first.answer();
  for (const waiting of [1, 2, 3]) {
    clients.push(await dialClient(bench));
    await until(() => bench.relay.metrics().clientsWaiting === waiting, `${waiting} wait`);
  }
  for (const demand of [2, 1, 0]) {
    const half = await dialHalf(bench, await bench.ticket());
    assert.equal((await half.answer()).type, "waiting");
    const answer = await half.answer();
    assert(answer.type === "paired");
    assert.equal(answer.head.demand, demand);
    assert.equal(answer.head.client, `127.0.0.1:${clients[3 - demand]?.socket.localPort}`);
  }
});

test("two hundred pairs at once do not mix their bytes", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket();
  const served = Array.from({ length: 200 }, async (_, index) => {
    const half = await waitingHalf(bench, ticket);
    // The service of this test: it answers with what the client said, twice.
    assert.equal((await half.answer()).type, "paired");
    const said = await half.rest();
    half.socket.end(Buffer.concat([said, said]));
    return index;
  });
  const answers = Array.from({ length: 200 }, async (_, index) => {
    const text = `${index},`.repeat(1_000);
    await until(
      () => bench.relay.metrics().halvesWaiting > 0 || bench.relay.metrics().pairsTotal > 0,
      "port open",
    );
    const client = await dialClient(bench);
    client.socket.end(text);
    assert.equal((await client.rest()).toString(), text + text);
  });
  await Promise.all([...served, ...answers]);
  await until(() => bench.relay.metrics().pairs === 0, "all pairs over");
  assert.equal(bench.relay.metrics().pairEnds.get("closed"), 200);
});

test("a client with a ticket is paired through the shared port, without a public port", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench, await bench.ticket({ clientPort: null }));
  const client = await dialHalf(bench, await bench.ticket({ kind: "client", clientPort: null }), "client");
  assert.equal((await client.answer()).type, "waiting");
  const [atClient, atAgent] = [await client.answer(), await half.answer()];
  assert(atClient.type === "paired" && atAgent.type === "paired");
  assert.equal(atClient.head.pair, atAgent.head.pair);
  client.socket.end("question");
  assert.equal((await half.rest()).toString(), "question");
  half.socket.end("answer");
  assert.equal((await client.rest()).toString(), "answer");
});
