import { RdvError } from "../protocol/errors.ts";

/**
 * Throws `forbidden` when a browser sends the request for a page of another site: one that changes something, or wants
 * a WebSocket, which no rule of browsers keeps from other sites. Programs send no `Origin` (RFC 6454 section 7).
 */
export function checkOrigin({ method, headers }: Request, own: string): void {
  const origin = headers.get("origin");
  const isLook = method === "GET" || method === "HEAD";
  if (origin === null || (isLook && !headers.has("upgrade")) || isSameHost(origin, own)) return;
  throw new RdvError("forbidden", "Pages of other sites may not do this; use rdv, or a program of yours");
}

/** The scheme is left out: a proxy that speaks TLS in our place may not say so. */
function isSameHost(origin: string, own: string): boolean {
  const theirs = URL.parse(origin);
  if (theirs?.protocol !== "http:" && theirs?.protocol !== "https:") return false;
  return URL.parse(own.replace(/^https?:/, theirs.protocol))?.host === theirs.host;
}
