import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Peer } from "../../control/app.ts";
import { problemResponse } from "../../control/problems.ts";
import type { Log } from "../../net/log.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { HostSocket } from "./host-socket.ts";
import type { ReadPeer } from "./trusted-proxies.ts";

/** Brings a WebSocket request to the object that accepts it. */
export interface Upgrades {
  /** For the server's `upgrade` event. */
  readonly handle: (incoming: IncomingMessage, connection: Duplex, head: Buffer) => void;
  /** Whether the host has room for the WebSocket that this request of an account asks for; its connection is then theirs. */
  readonly admit: (request: Request, account: string) => boolean;
  /** An object takes over the request's socket; the answer only says that it did. */
  readonly adopt: (request: Request, socket: HostSocket) => Response;
  /** Takes no more, and resolves when no upgrade is under way: every socket is its object's, or was given up. */
  readonly stop: () => Promise<void>;
  /** Ends the connections that were refused and have not gone yet. */
  readonly cutRefused: () => void;
}

interface UpgradeDeps {
  /** The app: it answers refusals, and calls the object that accepts. */
  readonly fetch: (request: Request, peer: Peer) => Promise<Response>;
  readonly readPeer: ReadPeer;
  /** Makes a connection an account's, unless that has its share. */
  readonly settle: (connection: Duplex, account: string) => boolean;
  readonly log: Log;
}

export function createUpgrades({ fetch, readPeer, settle, log }: UpgradeDeps): Upgrades {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.signalBytes,
    perMessageDeflate: false,
    clientTracking: false,
  });
  const connections = new WeakMap<Request, Duplex>();
  const adopted = new WeakMap<Request, HostSocket>();
  const underWay = new Set<Promise<void>>();
  const refused = new Set<Duplex>();
  let stopping = false;

  async function refuse(connection: Duplex, response: Response): Promise<void> {
    if (connection.destroyed) return;
    refused.add(connection);
    connection.once("close", () => refused.delete(connection));
    await endWith(connection, response);
  }

  async function handle(incoming: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const request = toRequest(incoming);
    if (!request)
      return await refuse(connection, problemResponse("bad_request", "Not a request for a WebSocket"));
    connections.set(request, connection);
    const response = await fetch(request, readPeer(incoming));
    const socket = adopted.get(request);
    if (!socket) return await refuse(connection, response);
    connection.once("close", () => socket.abandon());
    if (connection.destroyed) return socket.abandon();
    server.handleUpgrade(incoming, connection, head, (ws) => socket.attach(ws));
  }

  return {
    handle: (incoming, connection, head) => {
      if (stopping) return void connection.destroy();
      // The connection may break while the app thinks; its close event says so.
      connection.on("error", () => connection.destroy());
      const handled = handle(incoming, connection, head)
        .catch((error: unknown) => {
          log.error("control: an upgrade failed", { path: incoming.url ?? "", error: String(error) });
          connection.destroy();
        })
        .finally(() => void underWay.delete(handled));
      underWay.add(handled);
    },
    admit: (request, account) => {
      const connection = connections.get(request);
      return connection === undefined || settle(connection, account);
    },
    adopt: (request, socket) => {
      if (adopted.has(request)) throw new RdvError("internal", "The request's socket was accepted twice");
      adopted.set(request, socket);
      return new Response(null, { status: 200 });
    },
    stop: async () => {
      stopping = true;
      while (underWay.size > 0) await Promise.all(underWay);
    },
    cutRefused: () => refused.forEach((connection) => connection.destroy()),
  };
}

/** The request in the app's terms; undefined when its target is no path, or its method one that Request does not take. */
function toRequest(incoming: IncomingMessage): Request | undefined {
  const url = URL.parse(incoming.url ?? "/", "http://control.invalid");
  if (!url || incoming.method === "TRACE") return undefined;
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  return new Request(url, { method: incoming.method ?? "GET", headers });
}

/** Writes an ordinary answer to a connection that wanted to be upgraded, and ends it. */
async function endWith(connection: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  connection.end(
    `HTTP/1.1 ${response.status} \r\n${headers}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body.toString()}`,
  );
  // The peer has had its answer; what it still sends is nobody's.
  connection.resume();
  setTimeout(() => connection.destroy(), limits.lingerMs).unref();
}
