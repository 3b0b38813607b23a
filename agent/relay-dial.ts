import type { Socket } from "node:net";
import { dialOut } from "../net/dial-out.ts";
import { noProxies } from "../net/proxy/proxies.ts";
import type { Proxies } from "../net/proxy/proxies.ts";
import { secureClient } from "../net/tls/secure-client.ts";
import { hostPort } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";

/** Where a relay's shared port is; any placement or relay of the API will do. */
export interface RelayPort {
  readonly host: string;
  readonly sharedPort: number;
  /** Fingerprint of the relay's key; null when it speaks plain TCP alone. */
  readonly tls: string | null;
}

export interface RelayDialOptions {
  /** Ends the attempt; a connection that is already made is not touched. */
  readonly signal: AbortSignal;
  /** For everything until the connection can be used. Default `limits.dialMs`. */
  readonly timeoutMs?: number;
  /** No TLS, whatever the relay offers: what is sent protects itself. */
  readonly plain?: boolean;
  /** Ways out of this network; by default everything goes directly. */
  readonly proxies?: Proxies;
}

/**
 * Opens a connection to a relay's shared port: in TLS with the pinned key where the relay has one, else plain.
 * The socket allows half-close and comes with no listener but one for `error`.
 * Throws `unreachable`, `timeout`, `untrusted` when the relay shows another key, or the reason of `signal`.
 */
export async function dialRelay(relay: RelayPort, options: RelayDialOptions): Promise<Socket> {
  const { signal, timeoutMs = limits.dialMs, plain = false, proxies = noProxies } = options;
  const startedAt = performance.now();
  const socket = await dialOut({
    use: "half",
    proxies,
    host: relay.host,
    port: relay.sharedPort,
    signal,
    timeoutMs,
  });
  if (relay.tls === null || plain) return socket;
  return await secureClient(socket, {
    fingerprint: relay.tls,
    where: hostPort(relay.host, relay.sharedPort),
    signal,
    timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedAt)),
  });
}
