import type { ProxyTarget } from "./proxies.ts";

/** What a connection for an `http:`, `https:`, `ws:` or `wss:` URL dials. */
export function targetOf(url: URL): ProxyTarget {
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  return {
    use: secure ? "https" : "http",
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || (secure ? 443 : 80)),
  };
}
