import type { Socket } from "node:net";
import { dialThroughProxy } from "./connect-dial.ts";
import type { Proxies } from "./proxies.ts";
import { targetOf } from "./url-target.ts";

type Fetch = typeof fetch;

/** `fetch` that goes through the proxy which holds for a URL. Without one it is Node's own, and nothing is loaded. */
export function createProxiedFetch(proxies: Proxies): Fetch {
  let tunnelled: Promise<Fetch> | undefined;
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (proxies.for(targetOf(url)) === undefined) return await fetch(input, init);
    tunnelled ??= loadTunnelled(proxies);
    return await (
      await tunnelled
    )(input, init);
  };
}

/** Node's own fetch takes no other way of dialling; the library that it is made of does. */
async function loadTunnelled(proxies: Proxies): Promise<Fetch> {
  const { Agent, buildConnector, fetch: undiciFetch } = await import("undici");
  const begin = buildConnector({});
  const dispatcher = new Agent({
    connect(options, callback) {
      void dialFor(new URL(`${options.protocol}//${options.host ?? options.hostname}`), proxies).then(
        (socket) => {
          if (socket === undefined || options.protocol !== "https:") end(socket);
          else begin({ ...options, httpSocket: socket }, callback);
        },
        (error: Error) => callback(error, null),
      );
      function end(socket: Socket | undefined): void {
        if (socket === undefined) begin(options, callback);
        else callback(null, socket);
      }
    },
  });
  // The two differ in the names of their types alone: Node's fetch is this one, of another version.
  return (async (input: string | URL, init: object) =>
    await undiciFetch(input, { ...init, dispatcher })) as unknown as Fetch;
}

/** Undefined when there is no proxy for it. */
async function dialFor(url: URL, proxies: Proxies): Promise<Socket | undefined> {
  const target = targetOf(url);
  const proxy = proxies.for(target);
  return proxy && (await dialThroughProxy(proxy, { ...target, signal: new AbortController().signal }));
}
