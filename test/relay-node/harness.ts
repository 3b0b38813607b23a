import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { dialRelay } from "../../agent/relay-dial.ts";
import { createPump } from "../../net/create-pump.ts";
import { dialTcp } from "../../net/dial.ts";
import { createLog } from "../../net/log.ts";
import { toProblem } from "../../protocol/errors.ts";
import type { RdvError } from "../../protocol/errors.ts";
import { formatHalfRequest, parseHalfAnswer } from "../../protocol/handshake.ts";
import type { HalfAnswer, HalfKind } from "../../protocol/handshake.ts";
import { pingText, pongText } from "../../protocol/signals.ts";
import type { EndedKey, EndedSession } from "../../protocol/signals.ts";
import { importSigningKey, publicJwk, signTicket } from "../../protocol/tickets.ts";
import type { Ticket } from "../../protocol/tickets.ts";
import { createRelayNode } from "../../relay-node/relay-node.ts";
import type { RelayNode, RelayNodeOptions } from "../../relay-node/relay-node.ts";
import { claimPorts } from "../fixtures/ports.ts";

const relayId = "r_relayundertest";

/** A relay with a control plane of its own, in a state directory of its own. */
export interface Bench extends AsyncDisposable {
  readonly relay: RelayNode;
  readonly control: Control;
  readonly stateDir: string;
  readonly lines: string[];
  /** Pin of the relay's key, when it takes TLS. */
  readonly tls: string | null;
  /** A signed ticket for the session on `clientPort`. */
  ticket(overrides?: Partial<Ticket>): Promise<string>;
  readonly clientPort: number;
  /** Ends this relay and starts another one on the same state, without a control plane. */
  restart(): Promise<RelayNode>;
}

interface BenchOptions extends Partial<RelayNodeOptions> {
  /** False: give the relay back before it was welcomed. */
  readonly waitForReady?: boolean;
  /** The control plane drops every connection until its `away` is false. */
  readonly controlAway?: boolean;
  readonly controlRefuses?: RdvError;
}

export async function startBench({
  waitForReady = true,
  controlAway = false,
  controlRefuses,
  ...options
}: BenchOptions = {}): Promise<Bench> {
  const stack = new AsyncDisposableStack();
  const stateDir = await mkdtemp(join(tmpdir(), "rdv-relay-"));
  stack.defer(async () => rm(stateDir, { recursive: true, force: true }));
  const control = await startControl(controlRefuses);
  control.away = controlAway;
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line), level: "debug" });
  const pump = stack.use(await createPump({ choice: "auto", log }));
  const start = async (): Promise<RelayNode> =>
    createRelayNode({
      id: relayId,
      listenHost: "127.0.0.1",
      publicHost: "127.0.0.1",
      sharedPort: 0,
      ports: { from: 1_024, to: 65_535 },
      region: "test",
      control: { url: control.url, token: "relay-token" },
      stateDir,
      pump,
      log,
      lingerMs: 500,
      ...options,
    });
  let relay = await start();
  if (waitForReady) await relay.ready;
  const clientPort = stack.use(await claimPorts()).port(0);
  return {
    get relay() {
      return relay;
    },
    control,
    stateDir,
    lines,
    tls: options.tls?.fingerprint ?? null,
    clientPort,
    ticket: async (overrides) =>
      signTicket(
        {
          kind: "agent",
          relay: relayId,
          session: "s_sessionundertest0000",
          owner: "a_owner",
          name: "test",
          clientPort,
          epoch: 1,
          allow: [],
          once: false,
          pairs: 256,
          expires: Math.floor(Date.now() / 1_000) + 3_600,
          ...overrides,
        },
        control.key,
      ),
    async restart() {
      await control[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      relay = await start();
      return relay;
    },
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await control[Symbol.asyncDispose]();
      await stack.disposeAsync();
    },
  };
}

/** The control plane's side of a relay's link. */
export interface Control extends AsyncDisposable {
  readonly url: string;
  readonly key: Awaited<ReturnType<typeof importSigningKey>>;
  /** Drops every connection while true. */
  away: boolean;
  /** What relays said, as parsed JSON, pings left out. */
  readonly said: unknown[];
  /** Listed in each welcome. */
  readonly ended: EndedSession[];
  end(ended: EndedSession): void;
  endKey(ended: EndedKey): void;
  /** Sends a ticket with a newer policy. */
  changePolicy(ticket: string): void;
  /** Sends a ticket that opens a raw port. */
  openRaw(ticket: string): void;
  /** Breaks every connection; relays come back by themselves. */
  reconnect(): void;
  /** Says that the session is at another relay now. */
  leave(session: string): void;
}

async function startControl(refuses: RdvError | undefined): Promise<Control> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: "test-key" };
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, verifyClient: (_info, done) => verify(done) });
  const state = { away: false };
  const verify = (done: (ok: boolean, status?: number, body?: string) => void): void => {
    if (!refuses) return done(true);
    const problem = toProblem(refuses);
    done(false, problem.status, JSON.stringify(problem));
  };
  const said: unknown[] = [];
  const ended: EndedSession[] = [];
  sockets.on("connection", (socket: WebSocket) => {
    if (state.away) return socket.terminate();
    socket.on("message", (data: Buffer) => {
      if (data.toString() === pingText) return socket.send(pongText);
      const signal = JSON.parse(data.toString()) as { type: string };
      said.push(signal);
      if (signal.type === "hello")
        socket.send(JSON.stringify({ type: "welcome", jwks: { keys: [publicJwk(jwk)] }, ended }));
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return Object.assign(state, {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    key: await importSigningKey(jwk),
    said,
    ended,
    end(session: EndedSession) {
      for (const socket of sockets.clients) socket.send(JSON.stringify({ type: "end", ended: session }));
    },
    endKey(key: EndedKey) {
      for (const socket of sockets.clients) socket.send(JSON.stringify({ type: "key_ended", ended: key }));
    },
    changePolicy(ticket: string) {
      for (const socket of sockets.clients) socket.send(JSON.stringify({ type: "policy", ticket }));
    },
    openRaw(ticket: string) {
      for (const socket of sockets.clients) socket.send(JSON.stringify({ type: "raw", ticket }));
    },
    reconnect() {
      for (const socket of sockets.clients) socket.terminate();
    },
    leave(session: string) {
      for (const socket of sockets.clients) socket.send(JSON.stringify({ type: "leave", session }));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      http.close();
    },
  });
}

/** One half on the shared port, as an agent or a ticketed client has it. */
export interface Half {
  readonly socket: Socket;
  /** The next answer of the relay; a later call gives the answer after it. */
  answer(): Promise<HalfAnswer>;
  /** Waits until `bytes` came behind the head. */
  received(bytes: number): Promise<Buffer>;
  /** Everything until the relay's FIN; rejects on a reset. */
  rest(): Promise<Buffer>;
}

interface HalfOptions {
  /** Plain TCP, whatever the relay offers. */
  readonly plain?: boolean;
  readonly proof?: string;
}

export async function dialHalf(
  bench: Bench,
  ticket: string,
  kind: HalfKind = "agent",
  { plain = false, proof }: HalfOptions = {},
): Promise<Half> {
  const socket = await dialShared(bench, plain);
  socket.write(formatHalfRequest(kind, "relay", ticket, proof));
  return readHalf(socket);
}

/** A connection to the relay's shared port, in TLS when the relay takes that. */
export async function dialShared({ relay, tls }: Bench, plain = false): Promise<Socket> {
  const signal = AbortSignal.timeout(10_000);
  return dialRelay({ host: "127.0.0.1", sharedPort: relay.sharedPort, tls }, { signal, plain });
}

/** A half that was told that it waits. */
export async function waitingHalf(bench: Bench, ticket?: string, options?: HalfOptions): Promise<Half> {
  const half = await dialHalf(bench, ticket ?? (await bench.ticket()), "agent", options);
  const answer = await half.answer();
  if (answer.type !== "waiting") throw new Error(`not waiting: ${JSON.stringify(answer)}`);
  return half;
}

export function readHalf(socket: Socket): Half {
  let chunks: Buffer[] = [];
  let ended = false;
  let failure: Error | undefined;
  let changed = Promise.withResolvers<void>();
  const change = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    change();
  });
  socket.on("end", () => {
    ended = true;
    change();
  });
  socket.on("error", (error) => {
    failure = error;
    change();
  });
  /** All that came and was not taken; joined when somebody looks, because a stream comes in many pieces. */
  const whole = (): Buffer => {
    const [first = Buffer.alloc(0)] = (chunks = chunks.length > 1 ? [Buffer.concat(chunks)] : chunks);
    return first;
  };
  const take = (bytes: number): Buffer => {
    const all = whole();
    chunks = [all.subarray(bytes)];
    return all.subarray(0, bytes);
  };
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      if (failure) throw failure;
      const found = look();
      if (found !== undefined) return found;
      await changed.promise;
    }
  };
  return {
    socket,
    answer: async () =>
      until(() => {
        const answer = parseHalfAnswer(whole().toString("latin1"), ended);
        if (answer.type === "incomplete") return undefined;
        if (answer.type === "waiting" || answer.type === "paired") take(answer.headBytes);
        return answer;
      }),
    received: async (bytes) => until(() => (whole().length < bytes ? undefined : take(bytes))),
    rest: async () => until(() => (ended ? whole() : undefined)),
  };
}

export async function dial(port: number): Promise<Socket> {
  return dialTcp({ host: "127.0.0.1", port, signal: AbortSignal.timeout(10_000) });
}

/** A plain client of the bench's session, watched like a half. */
export async function dialClient(bench: Bench): Promise<Half> {
  return readHalf(await dial(bench.clientPort));
}

/** Resolves when `check` holds; looks at every turn of the event loop, and gives up after 10 s. */
export async function until(check: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!check()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
