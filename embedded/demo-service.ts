import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A small web server on loopback, for a first look at rdv. */
export interface DemoService extends AsyncDisposable {
  readonly port: number;
}

/** Starts the demonstration service on a free port of loopback. */
export async function createDemoService(): Promise<DemoService> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
    response.end(
      "It works: this page came through the relay, from a service that nothing can dial from outside.\n",
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: "127.0.0.1", port: 0 }, resolve);
  await promise;
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
