import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import * as z from "zod";
import { silentLog } from "../../../net/log.ts";
import { createProxiedFetch } from "../../../net/proxy/proxied-fetch.ts";
import type { Proxies } from "../../../net/proxy/proxies.ts";
import { createSignalLink } from "../../../net/signal-link.ts";
import { createApi } from "../../../protocol/client.ts";
import { startStandInProxy, tunnel } from "./stand-in-proxy.ts";

/** A control plane under a name that leads nowhere, so that nobody reaches it but through the proxy. */
const url = "http://far.example:8787";

async function startFar(): Promise<
  AsyncDisposable & { readonly proxies: Proxies; readonly heads: readonly string[] }
> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "application/json" }).end('{"status":"ok"}');
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (ws) => ws.send('{"type":"hello"}'));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const stand = await startStandInProxy((socket) => tunnel(socket, { host: "127.0.0.1", port }));
  return {
    proxies: { for: () => stand.proxy },
    heads: stand.heads,
    async [Symbol.asyncDispose]() {
      for (const ws of sockets.clients) ws.terminate();
      server.closeAllConnections();
      server.close();
      await stand[Symbol.asyncDispose]();
    },
  };
}

test("requests go through the proxy", async () => {
  await using far = await startFar();
  const api = createApi({ url, token: "t", fetch: createProxiedFetch(far.proxies) });
  assert.deepEqual(await api.health(), { status: "ok" });
  assert.match(far.heads[0] ?? "", /^CONNECT far\.example:8787 HTTP\/1\.1\r\n/);
  assert.ok(!far.heads.join("").includes("Bearer"), "the token is for the far end alone");
});

test("a proxy that refuses is told of in its own words", async () => {
  await using stand = await startStandInProxy((socket) => socket.end("HTTP/1.1 407 No\r\n\r\n"));
  const api = createApi({ url, fetch: createProxiedFetch({ for: () => stand.proxy }) });
  await assert.rejects(api.health(), {
    code: "unreachable",
    message: /wants a user name and a password \(407\)/,
  });
});

test("the control connection goes through the proxy", async () => {
  await using far = await startFar();
  const { promise, resolve } = Promise.withResolvers<string>();
  await using _link = createSignalLink({
    url: `${url}/v1/link`,
    token: "t",
    incoming: z.object({ type: z.string() }),
    onOpen: () => {},
    onSignal: ({ type }) => resolve(type),
    onRefused: () => "stop",
    log: silentLog,
    signal: new AbortController().signal,
    proxies: far.proxies,
  });
  assert.equal(await promise, "hello");
  assert.match(far.heads[0] ?? "", /^CONNECT far\.example:8787 HTTP\/1\.1\r\n/);
});
