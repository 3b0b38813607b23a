import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { on, once } from "node:events";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import * as z from "zod";
import { createLog } from "../../net/log.ts";
import { createSignalLink } from "../../net/signal-link.ts";
import type { SignalLinkOptions } from "../../net/signal-link.ts";
import { RdvError, toProblem } from "../../protocol/errors.ts";
import { pingText, pongText } from "../../protocol/signals.ts";

const Count = z.object({ type: z.literal("count"), value: z.number() });
type Count = z.infer<typeof Count>;

test("signals go both ways, with the token in the request", async () => {
  await using server = await startServer();
  const received = Promise.withResolvers<Count>();
  await using link = open(server, { onOpen: (send) => send({ type: "hello" }), onSignal: received.resolve });
  const { socket, request } = await server.connection();
  assert.equal(request.headers.authorization, "Bearer secret");
  assert.equal(request.headers["sec-websocket-extensions"], undefined, "no compression");
  assert.deepEqual(await server.message(), '{"type":"hello"}');
  socket.send('{"type":"count","value":7}');
  assert.deepEqual(await received.promise, { type: "count", value: 7 });
  assert.equal(link.connected, true);
  assert.equal(link.send({ type: "bye" }), true);
  assert.equal(await server.message(), '{"type":"bye"}');
});

test("a lost connection comes back and says hello again, with one line for the loss and one for the return", async () => {
  await using server = await startServer();
  const lines: string[] = [];
  await using link = open(server, { onOpen: (send) => send({ type: "hello" }), ...logTo(lines) });
  for (let round = 0; round < 4; round += 1) {
    const { socket } = await server.connection();
    assert.equal(await server.message(), '{"type":"hello"}');
    socket.terminate();
  }
  const last = await server.connection();
  assert.equal(await server.message(), '{"type":"hello"}');
  assert.equal(link.connected, true);
  assert.match(lines[0] ?? "", /control plane away, retrying for ever reason=/);
  assert.match(lines[1] ?? "", /control plane back after \d+ s/);
  last.socket.terminate();
});

test("an absent server is told once, and its return once", async () => {
  const gone = await startServer();
  const port = gone.port;
  await gone[Symbol.asyncDispose]();
  const lines: string[] = [];
  let attempts = 0;
  const several = Promise.withResolvers<void>();
  await using link = open(
    { port },
    {
      ...logTo(lines),
      backoff: { next: countTo5, reset: () => {} },
      onOpen: (send) => send({ type: "hello" }),
    },
  );
  function countTo5(): number {
    attempts += 1;
    if (attempts === 5) several.resolve();
    return 1;
  }
  await several.promise;
  assert.equal(link.connected, false);
  assert.equal(link.send({ type: "lost" }), false);
  await using server = await startServer(port);
  assert.equal(await server.message(), '{"type":"hello"}');
  assert.equal(lines.length, 2, lines.join(""));
});

test("a silent server is left and dialled again", async () => {
  await using server = await startServer();
  server.silent = true;
  const lines: string[] = [];
  await using _link = open(server, { ...logTo(lines), heartbeatMs: 10, deadAfterMs: 50 });
  await server.connection();
  assert.equal(await server.message(), pingText);
  await server.connection();
  assert.match(lines[0] ?? "", /silent for 50 ms/);
});

test("pongs keep a connection without other traffic alive", async () => {
  await using server = await startServer();
  const lines: string[] = [];
  await using link = open(server, { ...logTo(lines), heartbeatMs: 100, deadAfterMs: 2_000 });
  await server.connection();
  for (let beat = 0; beat < 30; beat += 1) assert.equal(await server.message(), pingText);
  assert.equal(link.connected, true);
  assert.deepEqual(lines, []);
});

test("a refusal that no retry cures is asked about, with the problem document read", async () => {
  await using server = await startServer();
  server.refuse = { error: new RdvError("unauthorized", "That token was revoked"), headers: {} };
  const refusals: RdvError[] = [];
  const stopped = Promise.withResolvers<void>();
  await using link = open(server, {
    onRefused: (error) => {
      refusals.push(error);
      if (refusals.length < 3) return "retry";
      stopped.resolve();
      return "stop";
    },
  });
  await stopped.promise;
  assert.deepEqual(
    refusals.map(({ code, message }) => [code, message]),
    Array.from({ length: 3 }, () => ["unauthorized", "That token was revoked"]),
  );
  assert.equal(link.connected, false);
});

test("Retry-After is the lower bound of the wait, and dialNow ends the wait", async () => {
  await using server = await startServer();
  server.refuse = { error: new RdvError("too_many"), headers: { "retry-after": "3600" } };
  const asked = Promise.withResolvers<number | undefined>();
  await using link = open(server, {
    onRefused: () => assert.fail("a retry cures it"),
    backoff: { next: (atLeastMs) => (asked.resolve(atLeastMs), atLeastMs ?? 0), reset: () => {} },
  });
  assert.equal(await asked.promise, 3_600_000);
  server.refuse = undefined;
  setImmediate(() => link.dialNow());
  await server.connection();
});

test("signals that are not understood are left out, and the connection goes on", async () => {
  await using server = await startServer();
  const lines: string[] = [];
  const received = Promise.withResolvers<Count>();
  await using _link = open(server, { onSignal: received.resolve, ...logTo(lines) });
  const { socket } = await server.connection();
  for (const bad of ["", "{", '{"type":"novelty"}', Buffer.from([1, 2])]) socket.send(bad);
  socket.send('{"type":"count","value":1}');
  assert.deepEqual(await received.promise, { type: "count", value: 1 });
  assert.equal(lines.length, 4);
});

test("a signal above the bound ends the connection, not the process", async () => {
  await using server = await startServer();
  await using _link = open(server, {});
  const { socket } = await server.connection();
  socket.send("x".repeat(70_000));
  await server.connection();
});

test("the end says goodbye, also after a last signal", async () => {
  await using server = await startServer();
  const link = open(server, { onOpen: (send) => send({ type: "hello" }) });
  const { socket } = await server.connection();
  const closed = once(socket, "close");
  assert.equal(await server.message(), '{"type":"hello"}');
  assert.equal(link.send({ type: "bye" }), true);
  await link[Symbol.asyncDispose]();
  assert.equal(await server.message(), '{"type":"bye"}');
  assert.equal((await closed)[0], 1000);
});

test("an abort ends a link that waits between two attempts", async () => {
  const controller = new AbortController();
  const waiting = Promise.withResolvers<void>();
  const link = open(
    { port: 1 },
    {
      signal: controller.signal,
      backoff: { next: () => (setImmediate(waiting.resolve), 3_600_000), reset: () => {} },
    },
  );
  await waiting.promise;
  controller.abort();
  await link[Symbol.asyncDispose]();
  assert.equal(link.connected, false);
});

test("an address or token that cannot be sent is a usage error", () => {
  assert.throws(() => open({ port: 1 }, { url: "relay.example" }), { code: "usage" });
  assert.throws(() => open({ port: 1 }, { token: "two\nlines" }), { code: "usage" });
});

type Options = SignalLinkOptions<Count, { type: string }>;

function open(server: { readonly port: number }, options: Partial<Options>) {
  return createSignalLink<Count, { type: string }>({
    url: `http://127.0.0.1:${server.port}/link`,
    token: "secret",
    incoming: Count,
    onOpen: () => {},
    onSignal: () => {},
    onRefused: () => "stop",
    ...logTo([]),
    signal: new AbortController().signal,
    backoff: { next: () => 1, reset: () => {} },
    ...options,
  });
}

function logTo(lines: string[]) {
  return { log: createLog({ write: (line) => void lines.push(line), level: "debug" }) };
}

/** A server that takes WebSockets, refuses them, or says nothing. */
async function startServer(port = 0) {
  const http: Server = createServer();
  const sockets = new WebSocketServer({ server: http, verifyClient: (_info, done) => verify(done) });
  const connections = on(sockets, "connection");
  const messages: string[] = [];
  let more = Promise.withResolvers<void>();
  const state = {
    silent: false,
    refuse: undefined as { error: RdvError; headers: Record<string, string> } | undefined,
  };
  const verify = (
    done: (ok: boolean, status?: number, body?: string, headers?: Record<string, string>) => void,
  ): void => {
    if (!state.refuse) return done(true);
    const problem = toProblem(state.refuse.error);
    done(false, problem.status, JSON.stringify(problem), state.refuse.headers);
  };
  sockets.on("connection", (socket: WebSocket) => {
    socket.on("message", (data: Buffer) => {
      const text = data.toString();
      if (text === pingText && !state.silent) socket.send(pongText);
      messages.push(text);
      more.resolve();
    });
  });
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  return Object.assign(state, {
    port: (http.address() as AddressInfo).port,
    async connection(): Promise<{ socket: WebSocket; request: IncomingMessage }> {
      const { value } = (await connections.next()) as { value: [WebSocket, IncomingMessage] };
      return { socket: value[0], request: value[1] };
    },
    async message(): Promise<string> {
      while (messages.length === 0) {
        await more.promise;
        more = Promise.withResolvers();
      }
      return messages.shift() ?? "";
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  });
}
