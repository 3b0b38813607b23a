import { createServer } from "node:http";
import type { Server, ServerOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import type { Http2Bindings, HttpBindings } from "@hono/node-server";
import { createAccountObject } from "../../control/account-object.ts";
import { createApp } from "../../control/app.ts";
import type { Peer } from "../../control/app.ts";
import { createCountObject } from "../../control/count-object.ts";
import { createGuessObject } from "../../control/guess-object.ts";
import { createInvitationObject } from "../../control/invitation-object.ts";
import { createRegionObject } from "../../control/region-object.ts";
import { createRelayObject } from "../../control/relay-object.ts";
import { problemResponse } from "../../control/problems.ts";
import type { ControlEnv, Services } from "../../control/services.ts";
import { createServices } from "../../control/services.ts";
import { createSessionObject } from "../../control/session-object.ts";
import type { SigningKeySource } from "../../control/signing-keys.ts";
import { createDisposalStack } from "../../net/disposal-stack.ts";
import { createHostCheck } from "../../net/host-check.ts";
import type { HostCheck } from "../../net/host-check.ts";
import type { Log } from "../../net/log.ts";
import { hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { descriptorLimit } from "../../relay-node/descriptors.ts";
import { limits } from "../../protocol/limits.ts";
import { createAlarms } from "./alarms.ts";
import type { Alarms } from "./alarms.ts";
import { shareConnections } from "./connections.ts";
import { openDatabase } from "./database.ts";
import { createObjectClass } from "./objects.ts";
import type { ObjectClass, ObjectClassDeps } from "./objects.ts";
import { createPeerReader } from "./trusted-proxies.ts";
import type { ReadPeer } from "./trusted-proxies.ts";
import { createUpgrades } from "./upgrades.ts";
import { keepYoungHeapSmall } from "./young-heap.ts";
import type { Upgrades } from "./upgrades.ts";

export interface ControlHostOptions {
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  /** Where `control.db` lies; made when it is missing. */
  readonly stateDir: string;
  /** The secrets of the control plane. */
  readonly env: Pick<
    ControlEnv,
    "RDV_SIGNING_KEY" | "RDV_SIGNING_KEY_OTHER" | "RDV_ADMIN_KEY_HASH" | "RDV_PUBLIC_URL" | "RDV_NETWORK_URL"
  >;
  /** Signing keys that this host keeps, in place of those in `env`. */
  readonly signingKeys?: SigningKeySource;
  /** Addresses and ranges of the proxies that are believed about their clients; by default nobody. */
  readonly trustProxy?: readonly string[] | undefined;
  /** Names by which others reach this control plane, beside `host` and its public URL's. */
  readonly names?: readonly string[];
  readonly log: Log;
}

/** The control plane in this process. Disposing it takes at most 2 s; agents and relays come back to the next one. */
export interface ControlHost extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** How often objects that did nothing are dropped from memory. */
const evictEveryMs = 15_000;
/** Peers get this long to answer the close of their socket. */
const closeMs = 1_000;
/** Node closes silently what it cannot open (EMFILE), so a part of the descriptors is left to everything else. */
const shareOfDescriptors = 0.8;

/** Starts the control plane. Throws `port_in_use`, or `state_locked` when another process uses the state directory. */
export async function createControlHost({
  host,
  port,
  stateDir,
  env: secrets,
  signingKeys,
  trustProxy = [],
  names = [],
  log,
}: ControlHostOptions): Promise<ControlHost> {
  keepYoungHeapSmall();
  await using cleanup = createDisposalStack();
  const database = cleanup.use(openDatabase(join(stateDir, "control.db")));
  const readPeer = createPeerReader(trustProxy);
  const checkHost = createHostCheck(host, [...names, ...hostsOf(secrets.RDV_PUBLIC_URL)]);
  const fetch = async (request: Request, peer: Peer): Promise<Response> =>
    wrongHost(checkHost, request, peer) ?? (await app.fetch(request, peer));
  const server = createHttpServer(fetch, readPeer);
  const connections = shareConnections(server, connectionBudget());
  const upgrades = createUpgrades({
    fetch,
    readPeer,
    settle: (connection, account) => connections.settle(connection, account),
    log,
  });
  const classes = createClasses({
    services: () => services,
    database,
    alarms: () => alarms,
    adopt: upgrades.adopt,
    log,
  });
  const services: Services = createServices({ ...secrets, ...classes }, signingKeys);
  const app = createApp({
    ...services,
    onError: (error, requestId) => logFailure(log, error, requestId),
    admit: (request, account) => upgrades.admit(request, account),
  });
  const alarms: Alarms = createAlarms({
    database,
    log,
    run: async (object) => await runAlarm(classes, object),
  });
  cleanup.use(alarms);
  server.on("upgrade", upgrades.handle);
  await listen(server, host, port);
  const evictor = setInterval(() => {
    for (const one of Object.values(classes)) one.evictIdle();
  }, evictEveryMs);
  evictor.unref();
  cleanup.defer(async () => {
    clearInterval(evictor);
    await closeServer(server, upgrades, Object.values(classes));
  });
  // A server that listens on TCP has an AddressInfo.
  const bound = (server.address() as AddressInfo).port;
  const stop = cleanup.move();
  return {
    url: `http://${hostPort(host, bound)}`,
    port: bound,
    [Symbol.asyncDispose]: async () => await stop[Symbol.asyncDispose](),
  };
}

/** The answer to a request that names another server, in its `Host` or by the proxy before it; undefined for others. */
function wrongHost(isOurs: HostCheck, { headers }: Request, { origin = "" }: Peer): Response | undefined {
  const named = [headers.get("host") ?? undefined, ...hostsOf(origin)];
  const other = named.find((one) => !isOurs(one));
  if (other === undefined) return undefined;
  return problemResponse(
    "wrong_host",
    "This control plane does not go by the name in Host; its operator names it with --public-host or --public-url",
  );
}

function hostsOf(url: string | undefined): string[] {
  const parsed = URL.parse(url ?? "");
  return parsed ? [parsed.hostname] : [];
}

type AnyClass = Pick<ObjectClass<object>, "runAlarm" | "sockets" | "evictIdle" | "settled">;

/** The classes of objects, under the names by which the control plane knows them. */
function createClasses(deps: Omit<ObjectClassDeps<object>, "className" | "create" | "begunBy">) {
  return {
    SESSIONS: createObjectClass({
      ...deps,
      className: "SESSIONS",
      create: createSessionObject,
      begunBy: ["open"],
    }),
    RELAYS: createObjectClass({
      ...deps,
      className: "RELAYS",
      create: createRelayObject,
      // A relay that was removed still remembers which sessions are over.
      begunBy: ["fetch", "release", "reserve"],
    }),
    ACCOUNTS: createObjectClass({
      ...deps,
      className: "ACCOUNTS",
      create: createAccountObject,
      begunBy: ["reserve", "report", "addKey"],
    }),
    REGIONS: createObjectClass({
      ...deps,
      className: "REGIONS",
      create: createRegionObject,
      begunBy: ["report", "addRegion"],
    }),
    INVITATIONS: createObjectClass({
      ...deps,
      className: "INVITATIONS",
      create: createInvitationObject,
      begunBy: ["create"],
    }),
    // Of these two there are only as many as they have shares, and they begin with the first count.
    GUESSES: createObjectClass({
      ...deps,
      className: "GUESSES",
      create: createGuessObject,
      begunBy: "all",
    }),
    COUNTS: createObjectClass({ ...deps, className: "COUNTS", create: createCountObject, begunBy: "all" }),
  };
}

/** Objects are named `<class>/<name>` in the alarm table. */
async function runAlarm(classes: Readonly<Record<string, AnyClass>>, object: string): Promise<void> {
  const slash = object.indexOf("/");
  await classes[object.slice(0, slash)]?.runAlarm(object.slice(slash + 1));
}

function logFailure(log: Log, error: unknown, requestId: string): void {
  log.error("control: a request failed", {
    requestId,
    error: error instanceof Error ? error.stack : String(error),
  });
}

function createHttpServer(
  fetch: (request: Request, peer: Peer) => Promise<Response>,
  readPeer: ReadPeer,
): Server {
  const fetchFrom = async (request: Request, { incoming }: HttpBindings | Http2Bindings): Promise<Response> =>
    await fetch(request, readPeer(incoming));
  const listener = getRequestListener(fetchFrom, { overrideGlobalObjects: false });
  const options: ServerOptions = {
    headersTimeout: limits.handshakeMs,
    requestTimeout: limits.requestMs,
    // Node looks for slow requests every 30 s by default.
    connectionsCheckingInterval: limits.handshakeMs / 10,
    keepAliveTimeout: limits.requestMs,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: limits.keepAliveMs,
    // Some clients offer h2c on every request (RFC 9110 section 7.8 lets a server ignore that); Node before 24.9 cannot.
    shouldUpgradeCallback: (incoming) => incoming.headers.upgrade?.toLowerCase() === "websocket",
  };
  return createServer(options, (incoming, outgoing) => void listener(incoming, outgoing));
}

function connectionBudget(): number {
  return Math.floor(descriptorLimit() * shareOfDescriptors);
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port, backlog: limits.backlog }, resolve);
  try {
    await promise;
  } catch (cause) {
    throw listenError(cause, host, port);
  } finally {
    server.off("error", reject);
  }
}

function listenError(cause: unknown, host: string, port: number): RdvError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const where = hostPort(host, port);
  if (code === "EADDRINUSE")
    return new RdvError(
      "port_in_use",
      `Another program listens on ${where}; choose another port with --control-port`,
      { cause },
    );
  return new RdvError(
    "failed",
    `Cannot listen on ${where}: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}

/** Closes every socket as going away, then everything else; the objects store what their closed sockets mean. */
async function closeServer(server: Server, upgrades: Upgrades, classes: readonly AnyClass[]): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  await upgrades.stop();
  const sockets = classes.flatMap((one) => one.sockets());
  for (const socket of sockets) socket.close(1_001, "the control plane is restarting");
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.terminate();
    server.closeAllConnections();
    upgrades.cutRefused();
  }, closeMs);
  server.closeIdleConnections();
  await Promise.all([closed, ...sockets.map(async (socket) => await socket.gone)]);
  clearTimeout(timer);
  // What one object does last may be a call to another one.
  while ((await Promise.all(classes.map(async (one) => await one.settled()))).some(Boolean));
}
