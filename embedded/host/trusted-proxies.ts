import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { Peer } from "../../control/app.ts";
import { plainAddress } from "../../protocol/plain-address.ts";
import { createAllowList } from "../../relay-node/allow-list.ts";

/** Tells who sent a request. */
export type ReadPeer = (incoming: Pick<IncomingMessage, "socket" | "headers">) => Peer;

/** Nobody chains more proxies; what a stranger wrote before their entries is not looked at. */
const hopsRead = 16;

/**
 * Reads who sent a request. Headers in which proxies say who their client is are believed from the given addresses and
 * ranges alone; anybody else can write anything into them. `X-Forwarded-For` is read from its end, where each proxy adds
 * its client: the first address that is no trusted proxy's is the client's. A hop that is no address is not believed,
 * and then the proxy that wrote it counts. `Forwarded` (RFC 7239) is not read.
 */
export function createPeerReader(trusted: readonly string[]): ReadPeer {
  const inList = createAllowList(trusted);
  const isTrusted = (address: string): boolean => trusted.length > 0 && inList(address);
  return ({ socket, headers }) => {
    const address = plainAddress(socket.remoteAddress ?? "");
    if (!isTrusted(address))
      return { address, port: socket.remotePort, origin: originOf("http", headers.host) };
    const forwarded = listOf(headers["x-forwarded-for"]);
    const scheme = listOf(headers["x-forwarded-proto"]).at(-1) === "https" ? "https" : "http";
    return {
      address: clientBehind(address, forwarded, isTrusted),
      // A port that is the proxy's own would be taken for the client's.
      port: forwarded.length === 0 ? socket.remotePort : undefined,
      origin: originOf(scheme, listOf(headers["x-forwarded-host"]).at(-1) ?? headers.host),
    };
  };
}

function clientBehind(
  proxy: string,
  forwarded: readonly string[],
  isTrusted: (address: string) => boolean,
): string {
  let client = proxy;
  for (const hop of forwarded.slice(-hopsRead).toReversed()) {
    const address = addressOf(hop);
    if (address === undefined) return client;
    client = address;
    if (!isTrusted(client)) return client;
  }
  return client;
}

/** The address of a hop, as some proxies write it with a port or in brackets; undefined for anything else. */
function addressOf(hop: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(hop)?.[1] ?? hop;
  const family = bare.includes("%") ? 0 : isIP(bare);
  if (family !== 6) return family === 4 ? bare : undefined;
  return plainAddress(new URL(`http://[${bare}]`).hostname.slice(1, -1)); // as RFC 5952 writes it
}

/** The elements of a header that is a list (RFC 9110 section 5.6.1); Node has joined its lines. */
function listOf(header: string | string[] = ""): string[] {
  return String(header)
    .split(",")
    .map((element) => element.trim())
    .filter(Boolean);
}

function originOf(scheme: "http" | "https", host: string | undefined): string | undefined {
  return URL.parse(`${scheme}://${host}`)?.origin;
}
