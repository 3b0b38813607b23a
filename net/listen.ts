import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { hostPort } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { silentLog } from "./log.ts";
import type { Log } from "./log.ts";

export interface ListenOptions {
  /** Local address or host name; `0.0.0.0` and `::` mean every address. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly backlog?: number;
  /** Connections open at once; those beyond it are closed and counted by `dropped()`. */
  readonly maxConnections?: number;
  /** Takes the connection, which is open for half-close and has no listener but one for `error`. */
  readonly onConnection: (socket: Socket) => void;
  readonly log?: Log;
}

/** A port that accepts connections until it is disposed of; connections already accepted stay. */
export interface TcpListener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `host:port` as bound, with brackets around an IPv6 address. */
  readonly address: string;
  /** Connections closed at once because `maxConnections` were open. */
  dropped(): number;
}

/**
 * Listens for TCP connections, with half-close allowed, Nagle's algorithm off and keepalive on.
 * Throws `port_in_use`, or `failed` when the system refuses the address or the port.
 */
export async function listenTcp(options: ListenOptions): Promise<TcpListener> {
  const { host, port, onConnection, log = silentLog } = options;
  let dropped = 0;
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveMs },
    (socket) => {
      // A reset may come before the owner has looked; without a listener it would end the process.
      socket.on("error", ignore);
      onConnection(socket);
    },
  );
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;
  server.on("drop", () => {
    dropped += 1;
    if (dropped === 1) log.warn("too many connections, dropping new ones", { port });
  });
  await listening(server, host, port, options.backlog ?? limits.backlog);
  // Errors of a listening server concern one accept (EMFILE and the like); the listener itself goes on.
  server.on("error", (error) => log.warn("accept failed", { port, error: error.message }));
  const bound = server.address() as AddressInfo; // a TCP server that listens has an address object
  return {
    host: bound.address,
    port: bound.port,
    address: hostPort(bound.address, bound.port),
    dropped: () => dropped,
    // The port is free as soon as close() returns; its callback would wait for connections that others own.
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function listening(server: Server, host: string, port: number, backlog: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
  server.once("error", onError);
  server.listen({ host, port, backlog }, resolve);
  try {
    await promise;
  } finally {
    server.off("error", onError);
  }
}

/** The error to show when a port cannot be bound: what, where and what to do. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): RdvError {
  const where = hostPort(host, port);
  if (error.code === "EADDRINUSE")
    return new RdvError(
      "port_in_use",
      `Cannot listen on ${where}: another program does; choose another port or stop it`,
      {
        cause: error,
      },
    );
  if (error.code === "EACCES")
    return new RdvError(
      "failed",
      `Cannot listen on ${where}: not permitted; use a port above 1023 or more rights`,
      {
        cause: error,
      },
    );
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND")
    return new RdvError(
      "failed",
      `Cannot listen on ${where}: this machine has no such address; try 0.0.0.0 or 127.0.0.1`,
      {
        cause: error,
      },
    );
  return new RdvError("failed", `Cannot listen on ${where}: ${error.message}`, { cause: error });
}

function ignore(): void {}
