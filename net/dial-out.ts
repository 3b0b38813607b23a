import type { Socket } from "node:net";
import { dialTcp } from "./dial.ts";
import type { DialOptions } from "./dial.ts";
import { dialThroughProxy } from "./proxy/connect-dial.ts";
import type { Proxies, ProxyTarget } from "./proxy/proxies.ts";

interface DialOutOptions extends DialOptions {
  readonly use: ProxyTarget["use"];
  readonly proxies: Proxies;
}

/**
 * Opens a connection by the way that holds for it: directly, or through a proxy. See `dialTcp` for the socket.
 * Throws `unreachable`, `timeout`, `usage` for a variable that names no proxy, or the reason of `signal`.
 */
export async function dialOut({ use, proxies, ...options }: DialOutOptions): Promise<Socket> {
  const proxy = proxies.for({ use, host: options.host, port: options.port });
  return proxy ? await dialThroughProxy(proxy, options) : await dialTcp(options);
}
