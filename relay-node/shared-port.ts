import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { HostCheck } from "../net/host-check.ts";
import { listenError } from "../net/listen.ts";
import type { Linger } from "../net/linger.ts";
import type { Identity } from "../net/tls/certificate.ts";
import { directMisses } from "../protocol/connect.ts";
import type { DirectMiss, SeenAddress } from "../protocol/connect.ts";
import { RdvError, errorRules, toProblem } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { addressPath, halfPaths, upgradeToken } from "../protocol/handshake.ts";
import type { HalfKind } from "../protocol/handshake.ts";
import { limits } from "../protocol/limits.ts";
import type { HalfOutcome } from "../protocol/outcomes.ts";
import { plainAddress } from "../protocol/plain-address.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import type { HandshakeRate } from "./handshake-rate.ts";
import { formatRefusal, refusalHeaders } from "./http-answer.ts";
import type { MetricsRecorder } from "./metrics.ts";
import { createTlsDoor } from "./tls-door.ts";
import { createWebSocketDoor } from "./web-socket-door.ts";

/** A well formed request of a half; its ticket is not checked yet. */
export interface HalfRequest {
  readonly kind: HalfKind;
  readonly token: string;
  /** The request's `Host`, and its proof that the ticket is the sender's own. */
  readonly host: string;
  readonly proof: string | undefined;
  /** Why a client does not come directly, as it says itself. */
  readonly direct: DirectMiss | undefined;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly wantsContinue: boolean;
}

interface SharedPortOptions {
  readonly host: string;
  readonly port: number;
  readonly budget: ConnectionBudget;
  readonly linger: Linger;
  readonly metrics: MetricsRecorder;
  /** Takes the half, or throws or rejects with the reason why it cannot. */
  readonly onHalf: (request: HalfRequest) => Promise<void>;
  /** Throws the reason why this relay cannot serve now. */
  readonly checkReady: () => void;
  readonly metricsText: () => string;
  /** Opens `/metrics` here; undefined: to nobody. */
  readonly metricsToken?: string | undefined;
  /** Which names in `Host` are this relay's; pages of other sites get nothing. */
  readonly isOurs: HostCheck;
  readonly handshakeMs: number;
  /** With it the port takes TLS, too. */
  readonly tls: Identity | undefined;
  readonly handshakes: Pick<HandshakeRate, "begin">;
}

/** The relay's one port for halves and for those who look after it. */
export interface SharedPort extends AsyncDisposable {
  readonly port: number;
}

/**
 * Listens on the shared port. Node's HTTP parser bounds what strangers send, in bytes and in time.
 * Throws `port_in_use`.
 */
export async function openSharedPort(options: SharedPortOptions): Promise<SharedPort> {
  const { linger, metrics, handshakeMs } = options;
  const server = createServer({
    maxHeaderSize: limits.handshakeBytes,
    headersTimeout: handshakeMs,
    requestTimeout: handshakeMs,
    connectionsCheckingInterval: Math.max(50, Math.round(handshakeMs / 10)),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: limits.keepAliveMs,
  });
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  // Node would go on to answer 503 for as long as requests come.
  server.on("dropRequest", (_request: IncomingMessage, socket: Socket) => void socket.destroy());
  const entrance = openEntrance(server, options);
  const door = createWebSocketDoor((connection, outer) => entrance.inside(connection, outer));
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.setTimeout(0);
    // A browser says for which site it asks, programs do not: no page has anything to say to a relay.
    if (request.headers.origin !== undefined)
      return refuse(socket, new RdvError("forbidden", "Pages of other sites may not do this"), {
        linger,
        metrics,
      });
    if (door.wants(request)) return door.open(request, socket, head);
    void receiveHalf(request, socket, head, options);
  });
  server.on("request", (request, response) => answer(request, response, options));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // A socket that was answered keeps its parser, which may complain again about what is drained.
    if (!socket.writable || error.code === "ECONNRESET") return;
    refuse(socket, parserError(error), { linger, metrics });
  });
  await listening(server, options.host, options.port);
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has an address object
    [Symbol.asyncDispose]: async () => {
      server.close();
      entrance[Symbol.dispose]();
      server.closeAllConnections();
      door[Symbol.dispose]();
    },
  };
}

interface Entrance extends Disposable {
  /** Takes a connection that came inside `outer`. */
  inside(connection: Socket, outer: Socket): void;
}

/** Counts every connection. Without TLS the HTTP server has it at once, else after its first byte or its handshake. */
function openEntrance(server: Server, options: SharedPortOptions): Entrance {
  const { budget, metrics, tls, handshakeMs, handshakes } = options;
  const admit = (socket: Socket): boolean => {
    socket.on("error", ignore);
    const admitted = budget.admit(socket);
    if (admitted) metrics.accepted("shared");
    return admitted;
  };
  const serveHttp = server.listeners("connection");
  const serve = (socket: Socket): void => serveHttp.forEach((listener) => void listener.call(server, socket));
  const inside = (inner: Socket, outer: Socket): void => {
    if (inner !== outer) budget.carry(inner, outer);
    serve(inner.on("error", ignore));
  };
  const mayBegin = (address: string): boolean => {
    const may = handshakes.begin(address);
    if (!may) metrics.handshakeRefused();
    return may;
  };
  server.removeAllListeners("connection");
  const door = tls && createTlsDoor({ identity: tls, handshakeMs, mayBegin, serve: inside });
  server.on("connection", (socket: Socket) => {
    if (!admit(socket)) return;
    if (door) door.enter(socket);
    else serve(socket);
  });
  return { inside, [Symbol.dispose]: () => door?.[Symbol.dispose]() };
}

async function receiveHalf(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  { linger, metrics, onHalf }: SharedPortOptions,
): Promise<void> {
  let kind: HalfKind | undefined;
  try {
    kind = kindOf(request);
    if (request.headers.upgrade?.toLowerCase() !== upgradeToken) throw upgradeRequired();
    // A proxy in front would take the first bytes of the pair for this body.
    if (
      request.headers["transfer-encoding"] !== undefined ||
      Number(request.headers["content-length"] ?? 0) > 0
    )
      throw new RdvError("bad_request", "A half's request has no body");
    if (kind === "agent" && head.length > 0)
      throw new RdvError(
        "bad_request",
        "Bytes behind the request; an agent's half says nothing before its 101",
      );
    const wantsContinue = request.headers.expect?.toLowerCase() === "100-continue";
    const { host = "", dpop } = request.headers;
    const direct = directMisses.find((miss) => miss === request.headers["rdv-direct"]);
    const proof = typeof dpop === "string" ? dpop : undefined;
    await onHalf({ kind, token: tokenOf(request), host, proof, direct, socket, head, wantsContinue });
  } catch (error) {
    const reason = error instanceof RdvError ? error : new RdvError("internal", undefined, { cause: error });
    metrics.unpaired(kind ?? "client", outcomeOf(reason.code));
    refuse(socket, reason, { linger, metrics });
  }
}

function outcomeOf(code: ErrorCode): HalfOutcome {
  if (code === "bad_request") return "protocol_error";
  return code === "ended" || code === "draining" ? code : "refused";
}

function kindOf(request: IncomingMessage): HalfKind {
  const path = pathOf(request);
  if (request.method === "GET" && path === halfPaths.agent) return "agent";
  if (request.method === "GET" && path === halfPaths.client) return "client";
  throw new RdvError("not_found", `Nothing to upgrade at ${request.method} ${path}`);
}

function tokenOf(request: IncomingMessage): string {
  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined)
    throw new RdvError("unauthorized", "Send the ticket as Authorization: Bearer TICKET");
  return token;
}

function upgradeRequired(): RdvError {
  return new RdvError("upgrade_required", `Send Connection: Upgrade and Upgrade: ${upgradeToken}`);
}

/** The plain routes. */
function answer(request: IncomingMessage, response: ServerResponse, options: SharedPortOptions): void {
  const path = pathOf(request);
  try {
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new RdvError("bad_request", `${request.method} is not served here; use GET`);
    if (!options.isOurs(request.headers.host))
      throw new RdvError("wrong_host", "This relay does not go by the name in Host; see its --public-host");
    if (path === "/healthz") return send(response, "application/json", '{"status":"ok"}\n');
    if (path === "/readyz") {
      options.checkReady();
      return send(response, "application/json", '{"status":"ready"}\n');
    }
    if (path === addressPath) return send(response, "application/json", JSON.stringify(seenAddress(request)));
    if (path === "/metrics" && !mayScrape(request, options.metricsToken))
      throw new RdvError(
        "unauthorized",
        "Metrics want the token of RDV_METRICS_TOKEN, or the port of --metrics-port",
      );
    if (path === "/metrics") return send(response, "text/plain; version=0.0.4", options.metricsText());
    if (path === halfPaths.agent || path === halfPaths.client) throw upgradeRequired();
    throw new RdvError("not_found", `Nothing at ${path}`);
  } catch (error) {
    const reason = error instanceof RdvError ? error : new RdvError("internal", undefined, { cause: error });
    options.metrics.refused(reason.code);
    const body = JSON.stringify(toProblem(reason));
    response.writeHead(errorRules[reason.code].status, refusalHeaders(reason, body)).end(body);
  }
}

/** In constant time, whatever was sent. */
function mayScrape({ headers }: IncomingMessage, token: string | undefined): boolean {
  const sent = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  return token !== undefined && sent !== undefined && timingSafeEqual(sha256(sent), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
}

/** Who asks, as seen from here. */
function seenAddress({ socket }: IncomingMessage): SeenAddress {
  return { address: plainAddress(socket.remoteAddress ?? ""), port: socket.remotePort ?? 0 };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").replace(/\?.*$/s, "");
}

function parserError(error: NodeJS.ErrnoException): RdvError {
  if (error.code === "HPE_HEADER_OVERFLOW")
    return new RdvError("too_large", `A request head has at most ${limits.handshakeBytes} bytes`);
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new RdvError("timeout", "The request did not come in time");
  return new RdvError("bad_request", "Not an HTTP/1.1 request");
}

function refuse(
  socket: Socket,
  reason: RdvError,
  { linger, metrics }: Pick<SharedPortOptions, "linger" | "metrics">,
): void {
  metrics.refused(reason.code);
  linger.close(socket, formatRefusal(reason));
}

async function listening(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
  server.once("error", onError);
  server.listen({ host, port, backlog: limits.backlog }, resolve);
  await promise;
  server.off("error", onError);
  // One accept that fails does not concern the listener.
  server.on("error", ignore);
}

function ignore(): void {}
