import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { formatHalfRequest } from "../../../protocol/handshake.ts";
import { limits } from "../../../protocol/limits.ts";
import { attack } from "../../fixtures/attack.ts";
import { until } from "../../fixtures/within.ts";
import { readHalf, startBench, waitingHalf } from "../../relay-node/harness.ts";
import type { Bench } from "../../relay-node/harness.ts";

const from = import.meta.url;
const max = 400;
const newcomers = 5;

/** Connects from an address of its own, so that it is a source of its own. */
async function dialFrom(localAddress: string, port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, localAddress, allowHalfOpen: true });
  socket.on("error", () => {});
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}

async function dialMany(count: number, localAddress: string, port: number): Promise<Socket[]> {
  return await Promise.all(Array.from({ length: count }, async () => await dialFrom(localAddress, port)));
}

/** So many agents' halves of another address, and clients of a third one, are served now. */
async function servesNewcomers(bench: Bench): Promise<void> {
  for (let i = 0; i < newcomers; i += 1) {
    const agent = readHalf(await dialFrom(`127.0.8.${i + 1}`, bench.relay.sharedPort));
    agent.socket.write(formatHalfRequest("agent", "relay", await bench.ticket({ owner: `a_new${i}` })));
    const answer = await agent.answer();
    assert.equal(answer.type, "waiting", `half ${i} of a newcomer: ${JSON.stringify(answer)}`);
    agent.socket.destroy();
  }
}

async function servesClients(bench: Bench): Promise<void> {
  for (let i = 0; i < newcomers; i += 1) {
    const half = await waitingHalf(bench);
    const client = readHalf(await dialFrom(`127.0.9.${i + 1}`, bench.clientPort));
    assert.equal((await half.answer()).type, "paired", `client ${i} of a newcomer`);
    client.socket.end("question");
    assert.equal(String(await half.rest()), "question");
    half.socket.destroy();
  }
}

function close(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

attack(
  { point: 9, title: "keeps a relay's connections busy with GET /healthz from one address", from },
  async () => {
    await using bench = await startBench({ maxConnections: max });
    const flood = await dialMany(450, "127.0.7.1", bench.relay.sharedPort);
    for (const socket of flood) socket.resume().write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    await servesNewcomers(bench);
    assert.ok(bench.relay.metrics().connections <= max);
    close(flood);
    return { tries: 450, answer: "what is no half yet gives way: newcomers served 5 of 5" };
  },
);

for (const tls of [undefined, createIdentity()])
  attack(
    {
      point: 9,
      title: `fills a relay with connections that say nothing${tls ? ", on a port with TLS" : ""}`,
      from,
    },
    async () => {
      await using bench = await startBench({ maxConnections: max, tls });
      const flood = await dialMany(600, "127.0.7.1", bench.relay.sharedPort);
      await servesNewcomers(bench);
      close(flood);
      return { tries: 600, answer: "the oldest of the largest source gives way: newcomers served 5 of 5" };
    },
  );

attack({ point: 9, title: "asks on one connection for ever instead of becoming a half", from }, async () => {
  await using bench = await startBench();
  const socket = await dialFrom("127.0.7.1", bench.relay.sharedPort);
  let answers = 0;
  socket.on("data", (chunk: Buffer) => {
    answers += chunk.toString().split("HTTP/1.1 200").length - 1;
    if (socket.writable) socket.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  });
  socket.on("end", () => socket.destroy());
  socket.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  if (!socket.closed) await once(socket, "close");
  assert.equal(answers, limits.requestsPerConnection);
  return { tries: answers, answer: "the connection is closed after a number of requests" };
});

attack({ point: 9, title: "holds every pair of a session from one address, all idle", from }, async () => {
  await using bench = await startBench();
  const held: Socket[] = [];
  for (let i = 0; i < 256; i += 1) {
    const half = await waitingHalf(bench);
    const client = await dialFrom("127.0.7.1", bench.clientPort);
    held.push(half.socket, client);
    const pairs = i + 1;
    if (pairs <= 224)
      await until(10_000, `pair ${pairs}`, async () =>
        bench.relay.metrics().pairs === pairs ? true : undefined,
      );
    else break;
  }
  assert.equal(bench.relay.metrics().pairs, 224);
  await servesClients(bench);
  close(held);
  return { tries: 225, answer: "one source has 224 of 256 pairs at most: newcomers served 5 of 5" };
});

attack({ point: 9, title: "makes so many clients wait that nobody else can", from }, async () => {
  await using bench = await startBench();
  const opener = await waitingHalf(bench);
  opener.socket.destroy();
  await until(10_000, "no half waits", async () =>
    bench.relay.metrics().halvesWaiting === 0 ? true : undefined,
  );
  const flood: Socket[] = [];
  for (let i = 0; i < 4; i += 1) flood.push(...(await dialMany(90, `127.0.7.${i + 1}`, bench.clientPort)));
  const waits = readHalf(await dialFrom("127.0.9.1", bench.clientPort));
  waits.socket.write("question");
  await until(10_000, "all of them have come", async () =>
    bench.relay.metrics().accepted.session > flood.length ? true : undefined,
  );
  close(flood);
  await until(10_000, "the newcomer alone waits", async () =>
    bench.relay.metrics().clientsWaiting === 1 ? true : undefined,
  );
  const half = await waitingHalf(bench);
  waits.socket.end();
  assert.equal((await half.answer()).type, "paired");
  assert.equal(String(await half.rest()), "question");
  half.socket.destroy();
  return { tries: 360, answer: "a client of the source with most of them gives way to the newcomer" };
});

attack(
  { point: 9, title: "fills a relay with halves of one account, from many addresses", from },
  async () => {
    await using bench = await startBench({ maxConnections: 100 });
    const tickets = await Promise.all(
      [1, 2].map(
        async (n) =>
          await bench.ticket({
            owner: "a_greedy",
            session: `s_greedy${n}${"0".repeat(20)}`,
            clientPort: null,
          }),
      ),
    );
    const held: Socket[] = [];
    for (let i = 0; i < 120; i += 1) {
      const half = readHalf(await dialFrom(`127.0.10.${i + 1}`, bench.relay.sharedPort));
      half.socket.write(formatHalfRequest("agent", "relay", tickets[i % 2] ?? ""));
      await half.answer().catch(() => undefined);
      held.push(half.socket);
    }
    assert.ok(bench.relay.metrics().halvesWaiting <= 95, String(bench.relay.metrics().halvesWaiting));
    await servesNewcomers(bench);
    close(held);
    return { tries: 120, answer: "one account has 95 of 100 connections at most: newcomers served 5 of 5" };
  },
);
