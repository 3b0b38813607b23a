import type { Proxies } from "../net/proxy/proxies.ts";
import { RdvError } from "../protocol/errors.ts";
import type { RelayPort } from "./relay-dial.ts";

/**
 * Whether every relay is to be reached through a proxy. A network whose user named one lets nothing else out, or
 * wants nothing else to go out, so nothing is dialled directly from there.
 */
export function isBehindProxy(
  relays: readonly Pick<RelayPort, "host" | "sharedPort">[],
  proxies: Proxies | undefined,
): boolean {
  if (proxies === undefined || relays.length === 0) return false;
  return relays.every(({ host, sharedPort: port }) => {
    try {
      return proxies.for({ use: "half", host, port }) !== undefined;
    } catch (error) {
      // One is named, if badly: whoever dials the relay says so.
      if (error instanceof RdvError) return true;
      throw error;
    }
  });
}
