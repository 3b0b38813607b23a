import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import type { AgentApi } from "../../agent/session-link.ts";
import type { CreateSession, Session } from "../../protocol/api.ts";
import { RdvError, toProblem } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { AgentSignal, parseSignal, pongText } from "../../protocol/signals.ts";
import type { TicketedPlacement } from "../../protocol/placements.ts";
import type { SessionSignal } from "../../protocol/signals.ts";

/** The session's side of the control plane, played by a test over a real WebSocket. */
export interface StandInControl extends AsyncDisposable {
  readonly api: AgentApi;
  /** Every request to create a session. */
  readonly created: CreateSession[];
  /** What the next requests are answered with, instead of a session. */
  readonly createErrors: RdvError[];
  /** What agents said, without heartbeats. */
  readonly said: AgentSignal[];
  /** Resolves when the agent has said a signal of this type (again). */
  hears(type: AgentSignal["type"]): Promise<AgentSignal>;
  send(signal: SessionSignal): void;
  /** Changes where the session is, and tells the agent. */
  place(change: Partial<TicketedPlacement>, epoch?: number): void;
  /** Answers upgrades with this error until a session is created. */
  refuse(code: ErrorCode): void;
  /** Cuts the present connections. */
  drop(): void;
  /** Connections that agents have made. */
  connects(): number;
  /** Resolves when an agent has connected so many times in all. */
  connected(times: number): Promise<void>;
  /** Resolves when no agent is connected. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a control plane with one session, placed at a relay on `relayPort`. */
export async function startStandInControl(
  relayPort: number,
  options: { port?: number } = {},
): Promise<StandInControl> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const created: CreateSession[] = [];
  const createErrors: RdvError[] = [];
  const said: AgentSignal[] = [];
  const listeners = new Set<() => void>();
  let placement: TicketedPlacement = {
    relay: "r_aaaaaaaa",
    region: "here",
    host: "127.0.0.1",
    sharedPort: relayPort,
    clientPort: 20_000,
    tls: null,
    ticket: "ticket-1",
    ticketExpires: 4_000_000_000,
  };
  let epoch = 0;
  let connects = 0;
  let refusal: ErrorCode | undefined;
  let id = "";

  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  async function when<T>(find: () => T | undefined): Promise<T> {
    const now = find();
    if (now !== undefined) return now;
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = (): void => {
      const found = find();
      if (found === undefined) return;
      listeners.delete(look);
      resolve(found);
    };
    listeners.add(look);
    return await promise;
  }

  const placed = (): SessionSignal => ({
    type: "placed",
    session: id,
    name: created.at(-1)?.name ?? "desk",
    epoch,
    placements: [placement],
  });
  const send = (signal: SessionSignal): void => {
    for (const socket of sockets.clients) socket.send(JSON.stringify(signal));
  };

  function welcome(socket: WebSocket): void {
    epoch += 1;
    connects += 1;
    socket.on("message", (data) => {
      const signal = parseSignal(AgentSignal, (data as Buffer).toString());
      if (signal.type === "ping") return socket.send(pongText);
      said.push(signal);
      if (signal.type === "bye") send({ type: "ended", reason: "bye" });
      changed();
    });
    // The server takes a closed socket out of its list in a listener of its own.
    socket.once("close", () => setImmediate(changed));
    socket.send(JSON.stringify(placed()));
    changed();
  }

  server.on("upgrade", (request, socket, head) => {
    if (refusal === undefined) return sockets.handleUpgrade(request, socket, head, welcome);
    const problem = toProblem(new RdvError(refusal));
    const body = JSON.stringify(problem);
    socket.end(
      `HTTP/1.1 ${problem.status} No\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a listening TCP server has such an address

  async function stop(): Promise<void> {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  }

  const api: AgentApi = {
    createSession: async (request) => {
      created.push(request);
      const error = createErrors.shift();
      changed();
      if (error) throw error;
      epoch = 0;
      refusal = undefined;
      id = `s_${String(created.length).padStart(20, "0")}`;
      return sessionOf(id, request, placement);
    },
    agentSocket: (session) => ({
      url: `http://127.0.0.1:${port}/v1/sessions/${session}/agent`,
      token: "rdv_test_secret",
    }),
  };

  return {
    api,
    created,
    createErrors,
    said,
    hears: async (type) =>
      await when(() => {
        const index = said.findIndex((signal) => signal.type === type);
        return index < 0 ? undefined : said.splice(index, 1)[0];
      }),
    send,
    place: (change, nextEpoch = epoch) => {
      placement = { ...placement, ...change };
      epoch = nextEpoch;
      send(placed());
    },
    refuse: (code) => void (refusal = code),
    drop: () => {
      for (const socket of sockets.clients) socket.terminate();
    },
    connects: () => connects,
    connected: async (times) => void (await when(() => (connects >= times ? true : undefined))),
    empty: async () => void (await when(() => (sockets.clients.size === 0 ? true : undefined))),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function sessionOf(
  id: string,
  request: CreateSession,
  { ticket: _t, ticketExpires: _e, ...placement }: TicketedPlacement,
): Session {
  const expires =
    request.ttlSeconds === undefined ? null : new Date(Date.now() + request.ttlSeconds * 1_000).toISOString();
  return {
    id,
    name: request.name ?? "desk",
    target: request.target,
    state: "waiting",
    epoch: 0,
    address: `${placement.host}:${placement.clientPort}`,
    placements: [placement],
    private: false,
    agentKey: null,
    policy: { allow: [], once: request.once ?? false, pairs: 256 },
    createdAt: new Date().toISOString(),
    expiresAt: expires,
    seenAt: null,
  };
}
