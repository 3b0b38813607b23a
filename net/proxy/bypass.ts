import { BlockList, isIP, isIPv6 } from "node:net";
import { isLoopbackHost } from "../../protocol/plain-address.ts";

/** Whether a connection goes directly although there is a proxy. */
export type Bypass = (host: string, port: number) => boolean;

/**
 * Reads `NO_PROXY`: entries with commas or spaces between them. `*` is everything; `example.org`, `.example.org` and
 * `*.example.org` are that name and all below it; an address is itself, `192.0.2.0/24` its network; each may be
 * followed by `:PORT`. Loopback is always bypassed. What is none of these matches nothing.
 */
export function createBypass(list: string): Bypass {
  const rules = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map(parseRule);
  return (rawHost, port) => {
    const host = plainHost(rawHost);
    return isLoopbackHost(host) || rules.some((rule) => rule(host, port));
  };
}

function parseRule(entry: string): Bypass {
  if (entry === "*") return () => true;
  const { host, port } = splitPort(entry);
  const matches = parseHost(plainHost(host));
  return (name, at) => (port === undefined || port === at) && matches(name);
}

/** An IPv6 address needs brackets to have a port. */
function splitPort(entry: string): { host: string; port: number | undefined } {
  const parts = /^(?<host>\[.*\]|[^:]*):(?<port>\d+)$/.exec(entry)?.groups;
  return { host: parts?.["host"] ?? entry, port: parts ? Number(parts["port"]) : undefined };
}

function parseHost(pattern: string): (host: string) => boolean {
  const [network = "", bits] = pattern.split("/");
  if (isIP(network) !== 0) return parseNetwork(network, bits);
  const domain = pattern.replace(/^\*?\./, "");
  return (host) => host === domain || host.endsWith(`.${domain}`);
}

/** Without a prefix a network is one address, however it is spelled. */
function parseNetwork(network: string, written?: string): (host: string) => boolean {
  const family = isIPv6(network) ? "ipv6" : "ipv4";
  const longest = family === "ipv6" ? 128 : 32;
  const bits = written ?? String(longest);
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > longest) return () => false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return (host) => isIP(host) !== 0 && list.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}

/** Names are compared in lower case, without a final dot; addresses without brackets. */
function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
}
