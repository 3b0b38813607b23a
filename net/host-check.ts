import { isIP } from "node:net";
import { isLoopbackHost } from "../protocol/plain-address.ts";

/** Whether a request's `Host` header names this server; one without the header (HTTP/1.0) comes from no browser. */
export type HostCheck = (header: string | undefined) => boolean;

/**
 * Makes the check that keeps pages of other sites out, whose name has been made to lead here (DNS rebinding): such a
 * request names that site. Names that are loopback and the given ones are ours; a server that listens beyond loopback
 * also goes by any address, because an address cannot be rebound.
 */
export function createHostCheck(listenHost: string, names: readonly string[]): HostCheck {
  const isOpen = !isLoopbackHost(listenHost);
  const ours = new Set([listenHost, ...names].map(plainName));
  return (header) => {
    if (header === undefined) return true;
    const name = plainName(shape.exec(header)?.[1] ?? "");
    return name !== "" && (isLoopbackHost(name) || ours.has(name) || (isOpen && isIP(name) !== 0));
  };
}

/** A host and an optional port (RFC 9110 section 7.2); no name has other characters. */
const shape = /^(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/;

/** Case and a dot at the end make no other name, nor do the brackets of an IPv6 address. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/^\[(.+)\]$|\.$/g, "$1");
}
