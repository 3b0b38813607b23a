import type { AskPlace } from "../../net/direct/ask-address.ts";
import type { Placement } from "../../protocol/api.ts";

type RelayPlace = Pick<Placement, "host" | "sharedPort" | "tls">;

/**
 * Who can tell how this machine is seen from outside: the session's relays, and the control plane where it is dialled in
 * plain HTTP. What has another host comes second, because a NAT may keep a port for all ports of one host alone.
 */
export function askPlaces(placements: readonly RelayPlace[], controlUrl: string): AskPlace[] {
  const relays = placements.map(({ host, sharedPort, tls }) => ({ host, port: sharedPort, tls }));
  const all = [...relays, ...controlPlace(controlUrl)];
  const [first, ...more] = all;
  if (first === undefined) return [];
  return [first, ...more.toSorted((a, b) => Number(a.host === first.host) - Number(b.host === first.host))];
}

/** Behind HTTPS there is, as a rule, something that hides the port of who asks. */
function controlPlace(url: string): AskPlace[] {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "http:" && protocol !== "ws:") return [];
  return [{ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80), tls: null }];
}
