import type { Proxies, Proxy } from "../../net/proxy/proxies.ts";
import { targetOf } from "../../net/proxy/url-target.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { fail, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** Which way requests to the control plane take, and the proxy on it. */
export function checkProxy(
  url: URL,
  proxies: Proxies,
): { readonly finding: Finding; readonly proxy: Proxy | undefined } {
  try {
    const proxy = proxies.for(targetOf(url));
    return { proxy, finding: ok("proxy", describe(proxy)) };
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    const advice = "correct the variable, or put the hosts to reach directly into NO_PROXY";
    return { proxy: undefined, finding: fail("proxy", error.message, advice) };
  }
}

/** Whether halves to these relays go through a proxy; one that cannot be read is found when they are dialled. */
export function areProxied(relays: readonly RelayCandidate[], proxies: Proxies): boolean {
  try {
    return relays.some(
      ({ host, sharedPort: port }) => proxies.for({ use: "half", host, port }) !== undefined,
    );
  } catch (error) {
    if (error instanceof RdvError) return true;
    throw error;
  }
}

function describe(proxy: Proxy | undefined): string {
  if (!proxy) return "none: requests go out directly";
  return `requests go out through ${hostPort(proxy.host, proxy.port)}, which ${proxy.variable} names`;
}
