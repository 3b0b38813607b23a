import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { dialRelay } from "../../agent/relay-dial.ts";
import { resetSocket } from "../../net/pump-reset.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { formatHalfRequest } from "../../protocol/handshake.ts";
import { readToEnd } from "../fixtures/clients.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { dial, dialClient, dialHalf, dialShared, startBench, until, waitingHalf } from "./harness.ts";
import type { Bench, Half } from "./harness.ts";

const tls = createIdentity();

/** A pair whose agent's half came in TLS. */
async function securePair(bench: Bench): Promise<{ half: Half; client: Half }> {
  const half = await waitingHalf(bench);
  const client = await dialClient(bench);
  assert.equal((await half.answer()).type, "paired");
  return { half, client };
}

test("the relay tells the control plane the pin of its key", async () => {
  await using bench = await startBench({ tls });
  assert.partialDeepStrictEqual(bench.control.said[0], { type: "hello", tls: tls.fingerprint });
});

test("a late answer of 8 MiB to a request that has ended comes whole, whichever side of the pair asks", async () => {
  await using bench = await startBench({ tls });
  for (const asks of ["client", "half"] as const) {
    const pair = await securePair(bench);
    const [request, reply] = [randomBytes(1 << 20), randomBytes(8 << 20)];
    const answers = asks === "client" ? pair.half : pair.client;
    pair[asks].socket.end(request);
    assert(request.equals(await answers.rest()));
    answers.socket.end(reply);
    assert(reply.equals(await pair[asks].rest()));
    await until(() => bench.relay.metrics().pairs === 0, "pair over");
  }
  assert.equal(bench.relay.metrics().pairEnds.get("closed"), 2);
});

test("a reset arrives as a reset through TLS, in either direction", async () => {
  await using bench = await startBench({ tls });
  for (const side of ["client", "agent"] as const) {
    const { half, client } = await securePair(bench);
    const [breaks, sees] = side === "client" ? [client, half] : [half, client];
    resetSocket(breaks.socket);
    await assert.rejects(sees.rest(), { code: "ECONNRESET" });
    await until(() => bench.relay.metrics().pairEnds.get(`reset_by_${side}`) === 1, `reset by ${side}`);
  }
});

test("a stream that somebody in between ends arrives as a reset, on both sides of him", async () => {
  await using bench = await startBench({ tls });
  await using between = await startBetween(bench.relay.sharedPort);
  const socket = await dialRelay(
    { host: "127.0.0.1", sharedPort: between.port, tls: bench.tls },
    { signal: AbortSignal.timeout(10_000) },
  );
  socket.write(formatHalfRequest("agent", "relay", await bench.ticket()));
  await until(() => bench.relay.metrics().halvesWaiting === 1, "the half waits");
  const client = await dialClient(bench);
  await until(() => bench.relay.metrics().pairs === 1, "a pair");
  const cut = once(socket, "error");
  socket.resume();
  between.end();
  await assert.rejects(client.rest(), { code: "ECONNRESET" });
  const [error] = (await cut) as [NodeJS.ErrnoException]; // the "error" event of a socket
  assert.equal(error.code, "ECONNRESET");
});

test("a plain half on the same port loses no byte, and the kernel pump takes its pair", async () => {
  await using bench = await startBench({ tls });
  const half = await waitingHalf(bench, undefined, { plain: true });
  const ticket = await bench.ticket({ kind: "client" });
  const client = await dial(bench.relay.sharedPort);
  const answer = readToEnd(client);
  // One segment: what follows the head was read together with the byte that told plain from TLS.
  client.end(formatHalfRequest("client", "relay", ticket) + "said at once");
  assert.equal((await half.answer()).type, "paired");
  assert.equal((await half.rest()).toString(), "said at once");
  const { kernelPairs, portablePairs } = bench.relay.metrics().pumped;
  assert.deepEqual({ kernelPairs, portablePairs }, onLinux({ kernelPairs: 1, portablePairs: 0 }));
  half.socket.end("heard");
  assert.match((await answer).bytes.toString(), /101 Switching Protocols[\s\S]*\r\n\r\nheard$/);
});

test("a relay with another key than the pinned one is not spoken to", async () => {
  await using bench = await startBench({ tls });
  const { fingerprint } = createIdentity();
  const { sharedPort } = bench.relay;
  const { signal } = new AbortController();
  await assert.rejects(dialRelay({ host: "127.0.0.1", sharedPort, tls: fingerprint }, { signal }), {
    code: "untrusted",
  });
  await until(() => bench.relay.metrics().connections === 0, "nothing is left open");
});

test("who says nothing, or begins TLS and does not go on, is cut in time", async () => {
  await using bench = await startBench({ tls, handshakeMs: 1_000 });
  // A handshake of our own has to be done in time, however busy this machine is.
  await using patient = await startBench({ tls, handshakeMs: 3_000 });
  const silentInside = dialShared(patient).then(readToEnd);
  const greetings = ["", "\x16", "\x16\x03\x01\x02\x00", "GET"];
  const sockets = await Promise.all(greetings.map(async () => dial(bench.relay.sharedPort)));
  const endings = sockets.map(async (socket, index) => {
    const ending = readToEnd(socket);
    if (greetings[index] !== "") socket.write(greetings[index] ?? "", "latin1");
    return (await ending).how;
  });
  const [silent, first, record, head] = await Promise.all(endings);
  assert.deepEqual([silent, first, record], ["ECONNRESET", "ECONNRESET", "ECONNRESET"]);
  assert.equal(head, "end");
  assert.equal((await silentInside).how, "end");
});

test("bytes that are neither TLS nor HTTP are answered and closed", async () => {
  await using bench = await startBench({ tls });
  for (const greeting of ["SSH-2.0-OpenSSH_9.2\r\n", "\x00\x01\x02\x03\r\n\r\n"]) {
    const socket = await dial(bench.relay.sharedPort);
    const answer = readToEnd(socket);
    socket.write(greeting, "latin1");
    assert.match((await answer).bytes.toString(), /^HTTP\/1\.1 400 /);
    socket.destroy();
  }
  const wrong = await dial(bench.relay.sharedPort);
  const ending = readToEnd(wrong);
  wrong.write(Buffer.concat([Buffer.of(0x16), randomBytes(600)]));
  assert.notEqual((await ending).how, "");
  wrong.destroy();
  await until(() => bench.relay.metrics().connections === 0, "nothing is left open");
});

test("a TLS half that goes is not paired, one that is refused reads why", async () => {
  await using bench = await startBench({ tls });
  const gone = await waitingHalf(bench);
  resetSocket(gone.socket);
  await until(() => bench.relay.metrics().unpairedEnds.get("agent gone") === 1, "half gone");
  const ended = await waitingHalf(bench);
  ended.socket.end();
  await until(() => bench.relay.metrics().unpairedEnds.get("agent gone") === 2, "half gone");
  const refused = await dialHalf(bench, "no ticket");
  const answer = await refused.answer();
  assert(answer.type === "refused");
  assert.equal(answer.status, 401);
  refused.socket.end();
  await refused.rest();
  await until(() => bench.relay.metrics().connections === 0, "nothing is left open");
});

test("the connections of TLS halves are counted until they close", async () => {
  await using bench = await startBench({ tls, maxConnections: 5 });
  for (let round = 0; round < 5; round += 1) {
    const { half, client } = await securePair(bench);
    half.socket.end();
    client.socket.end();
    await Promise.all([half.rest(), client.rest()]);
    await until(() => bench.relay.metrics().pairs === 0, "pair over");
  }
  const waiting = [
    await waitingHalf(bench),
    await waitingHalf(bench),
    await waitingHalf(bench),
    await waitingHalf(bench),
  ];
  await assert.rejects(dialShared(bench), { code: "unreachable" });
  assert.equal(bench.relay.metrics().dropped, 1);
  for (const { socket } of waiting) resetSocket(socket);
});

test("openssl speaks with the shared port, in TLS 1.3 and no older one", needsOpenssl(), async () => {
  await using bench = await startBench({ tls });
  const to = ["s_client", "-connect", `127.0.0.1:${bench.relay.sharedPort}`];
  const client = spawn(requireTool("openssl"), [...to, "-tls1_3", "-quiet", "-no_ign_eof"]);
  client.stdin.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const [said] = await Promise.all([text(client.stdout), once(client, "exit")]);
  assert.match(said, /^HTTP\/1\.1 200 OK[\s\S]*\{"status":"ok"\}/);
  const old = spawn(requireTool("openssl"), [...to, "-tls1_2"]);
  old.stdin.end();
  const [, [code]] = await Promise.all([text(old.stdout), once(old, "exit")]);
  assert.notEqual(code, 0);
});

function needsOpenssl(): { skip: string | false } {
  return { skip: skipWithout("openssl") };
}

/** Where there is no kernel pump, every pair is a portable one. */
function onLinux(expected: { kernelPairs: number; portablePairs: number }) {
  return process.platform === "linux" ? expected : { kernelPairs: 0, portablePairs: 1 };
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += String(chunk);
  return all;
}

/** Somebody on the way who sees no plain byte but can end the connection. */
async function startBetween(port: number): Promise<AsyncDisposable & { readonly port: number; end(): void }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (near) => {
    void dial(port).then((far) => {
      sockets.push(near, far);
      near.on("data", (chunk) => far.write(chunk));
      far.on("data", (chunk) => near.write(chunk));
      near.on("error", () => {});
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has an address object
    end: () => sockets.forEach((socket) => socket.end()),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
