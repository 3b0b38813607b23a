import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { dialTcp } from "../../../net/dial.ts";
import { resetSocket } from "../../../net/pump-reset.ts";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { secureClient } from "../../../net/tls/secure-client.ts";
import { readToEnd } from "../../fixtures/clients.ts";
import { gone } from "../pump/sockets.ts";

const identity = createIdentity();
const { signal } = new AbortController();

async function securely(
  port: number,
  fingerprint = identity.fingerprint,
  timeoutMs = 5_000,
): Promise<Socket> {
  const socket = await dialTcp({ host: "127.0.0.1", port, signal });
  return await secureClient(socket, { fingerprint, where: "the server", signal, timeoutMs });
}

/** Both ends of a TLS connection, and the TCP connection below the server's end. */
interface Ends extends AsyncDisposable {
  readonly client: Socket;
  readonly server: Socket;
  /** Between the two: ends, byte by byte what the server sends, or not. */
  readonly between: { readonly near: Socket; readonly far: Socket };
}

async function openEnds(): Promise<Ends> {
  const inner = createTlsServer({ key: identity.key, cert: identity.cert, allowHalfOpen: true });
  inner.listen(0, "127.0.0.1");
  await once(inner, "listening");
  const outer = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(outer, "listening");
  const met = once(outer, "connection");
  const secured = once(inner, "secureConnection");
  const dialling = securely((outer.address() as AddressInfo).port); // a TCP server that listens has an address object
  const [near] = (await met) as [Socket];
  const { port } = inner.address() as AddressInfo; // the same
  const far = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on("error", () => resetSocket(to));
    from.pipe(to);
  }
  const [server] = (await secured) as [Socket];
  server.on("error", () => {});
  const client = await dialling;
  return {
    client,
    server,
    between: { near, far },
    async [Symbol.asyncDispose]() {
      for (const socket of [client, server, near, far]) socket.destroy();
      inner.close();
      outer.close();
    },
  };
}

test("half-close is carried both ways: all bytes, the end, and a late answer", async () => {
  await using ends = await openEnds();
  const [request, answer] = [randomBytes(1 << 20), randomBytes(3 << 20)];
  const asked = readToEnd(ends.server);
  ends.client.end(request);
  assert.deepEqual(await asked, { bytes: request, how: "end" });
  const answered = readToEnd(ends.client);
  ends.server.end(answer);
  assert.deepEqual(await answered, { bytes: answer, how: "end" });
});

for (const bytes of [0, 1, 100_000, 2_000_000])
  test(`an end that is not the peer's is a reset, behind ${bytes} bytes, to a slow reader as well`, async () => {
    await using ends = await openEnds();
    const { client, server, between } = ends;
    client.on("data", () => {
      client.pause();
      setImmediate(() => client.resume());
    });
    const failed = once(client, "error");
    let ended = false;
    client.on("end", () => (ended = true));
    if (bytes > 0) server.write(randomBytes(bytes));
    between.far.unpipe(between.near);
    between.far.on("data", (chunk: Buffer) => between.near.writable && between.near.write(chunk));
    between.far.resume();
    if (bytes > 0) await once(between.far, "data");
    between.near.end();
    const [error] = (await failed) as [NodeJS.ErrnoException]; // the "error" event of a socket
    assert.equal(error.code, "ECONNRESET");
    assert.equal(ended, false);
  });

test("an end right behind the last bytes is an end, to a slow reader as well", async () => {
  for (const bytes of [1, 16_384, 70_000, 2_000_000]) {
    await using ends = await openEnds();
    const { client, server } = ends;
    client.on("data", () => {
      client.pause();
      setImmediate(() => client.resume());
    });
    const answer = randomBytes(bytes);
    const heard = readToEnd(client);
    // Right after the handshake Node would forget the end; every half asks first.
    client.write("?");
    await once(server, "data");
    server.end(answer);
    assert.deepEqual(await heard, { bytes: answer, how: "end" });
  }
});

test("a reset is a reset", async () => {
  await using ends = await openEnds();
  const heard = readToEnd(ends.client);
  resetSocket(ends.server);
  assert.equal((await heard).how, "ECONNRESET");
});

test("another key, no TLS, silence and an abort each have their error, and leave no connection", async () => {
  const sockets: Socket[] = [];
  const keep = (socket: Socket): void => void sockets.push(socket.on("error", () => {}));
  const server = createTlsServer({ key: identity.key, cert: identity.cert }).listen(0, "127.0.0.1");
  server.on("connection", keep).on("secureConnection", (socket) => socket.on("error", () => {}));
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  await assert.rejects(securely(port, createIdentity().fingerprint), { code: "untrusted" });

  const plain = createServer(keep).listen(0, "127.0.0.1");
  await once(plain, "listening");
  const { port: plainPort } = plain.address() as AddressInfo; // the same
  plain.once("connection", (socket: Socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await assert.rejects(securely(plainPort), { code: "unreachable", message: /No TLS with the server/ });
  await assert.rejects(securely(plainPort, identity.fingerprint, 50), { code: "timeout" });
  const stop = new AbortController();
  const socket = await dialTcp({ host: "127.0.0.1", port: plainPort, signal });
  const options = { ...identity, where: "the server", signal: stop.signal, timeoutMs: 5_000 };
  const dialled = secureClient(socket, options);
  stop.abort(new Error("enough"));
  await assert.rejects(dialled, /enough/);
  await Promise.all(sockets.map(async (one) => gone(one.resume())));
  server.close();
  plain.close();
});
