import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createHostCheck } from "../net/host-check.ts";
import { listenError } from "../net/listen.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

interface MetricsServerOptions {
  /** On 127.0.0.1; undefined: `limits.metricsPort`, or another one when that is taken. */
  readonly port: number | undefined;
  /** In the Prometheus text format. */
  readonly text: () => string | Promise<string>;
}

/** Metrics for who is on this machine. */
export interface MetricsServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves `/metrics` on loopback, without a token and to no web page. Throws `port_in_use` when a given port is taken. */
export async function openMetricsServer({ port, text }: MetricsServerOptions): Promise<MetricsServer> {
  const isOurs = createHostCheck(host, []);
  const server = createServer(
    { headersTimeout: limits.handshakeMs, requestTimeout: limits.handshakeMs },
    (request, response) => void answer(request, response, isOurs, text),
  );
  server.maxConnections = limits.metricsConnections;
  await listen(server, port ?? limits.metricsPort).catch(async (error: unknown) => {
    if (port !== undefined || !(error instanceof RdvError) || error.code !== "port_in_use") throw error;
    await listen(server, 0);
  });
  const bound = server.address() as AddressInfo; // a server that listens on TCP has an address object
  return {
    url: `http://${host}:${bound.port}/metrics`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const host = "127.0.0.1";

async function answer(
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
  isOurs: (header: string | undefined) => boolean,
  text: () => string | Promise<string>,
): Promise<void> {
  if (!isOurs(headers.host)) return void response.writeHead(421).end("Not the name of this server\n");
  if (method !== "GET" || url !== "/metrics") return void response.writeHead(404).end("Only GET /metrics\n");
  try {
    const body = await text();
    response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end(body);
  } catch {
    response.writeHead(503).end("The metrics cannot be had now\n");
  }
}

async function listen(server: Server, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
  server.once("error", onError).listen({ host, port }, resolve);
  await promise.finally(() => server.off("error", onError));
}
