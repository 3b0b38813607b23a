import { BlockList, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { formatIp, parseIp } from "../../protocol/ip-address.ts";

/** Addresses of this machine that another one may be able to dial. */
export interface LocalAddresses {
  /** IPv4 addresses of local networks, or public ones. */
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

interface AddressDeps {
  readonly interfaces?: typeof networkInterfaces;
  /** Only to meet on this very machine. */
  readonly loopback?: boolean;
}

/** What this machine's interfaces have, without what no other machine can dial. */
export function localAddresses({
  interfaces = networkInterfaces,
  loopback = false,
}: AddressDeps = {}): LocalAddresses {
  const all = Object.values(interfaces())
    .flatMap((entries) => entries ?? [])
    .map(({ address }) => address)
    .filter((address) => isDialable(address, loopback));
  return {
    ipv4: all.filter((address) => !isIPv6(address)),
    ipv6: all.filter((address) => isIPv6(address)),
  };
}

/**
 * Whether an address is this machine's own, as its interfaces have them now, whatever it can be dialled by: what is open
 * to this machine alone, such as a service behind its firewall, must not be dialled for somebody else.
 */
export function createOwnCheck(
  interfaces: typeof networkInterfaces = networkInterfaces,
): (address: string) => boolean {
  const all = Object.values(interfaces()).flatMap((entries) => entries ?? []);
  const own = new Set(all.map(({ address }) => spelled(address)));
  return (address) => own.has(spelled(address));
}

/** One spelling for each address; IPv4 inside IPv6 is IPv4. */
function spelled(address: string): string {
  const plain = address.replace(/%.*$/, "");
  const read = parseIp(plain);
  return read === undefined ? plain : formatIp(read);
}

/**
 * Whether an address that somebody else names may be dialled (RFC 6890): not this machine itself, not a whole group, not
 * the local link or another place where machines of a cloud find their credentials, and none that a gateway turns into
 * an IPv4 address, which might be one of those. IPv4 inside IPv6 (`::ffff:192.0.2.1`) is what its IPv4 address is.
 */
export function isDialable(address: string, loopback = false): boolean {
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  return !never.check(address, family) && (loopback || !ownMachine.check(address, family));
}

/** All of `::/96` was for IPv4 inside IPv6 before it was given up (RFC 4291 section 2.5.5.1), `::1` excepted. */
const ownMachine = blockList("127.0.0.0/8", "::/96");

const never = blockList(
  "0.0.0.0/8", // this network
  "169.254.0.0/16", // the local link
  "192.0.0.0/24", // protocol assignments
  "224.0.0.0/3", // groups, and everything reserved behind them
  "::/128",
  "fe80::/10", // the local link
  "fec0::/10", // the local site (RFC 3879)
  "ff00::/8", // groups
  "64:ff9b::/96", // NAT64 (RFC 6052)
  "64:ff9b:1::/48", // NAT64 of a network's own (RFC 8215)
  "::ffff:0:0:0/96", // IPv4-translated (RFC 2765)
  "2002::/16", // 6to4 (RFC 3056)
  "2001::/32", // Teredo (RFC 4380)
  "100.100.100.200/32", // Alibaba's service for its own machines
  "168.63.129.16/32", // Azure's
  "fd00:ec2::/32", // AWS's
  "fd20:ce::254/128", // Google's
);

function blockList(...networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  }
  return list;
}
