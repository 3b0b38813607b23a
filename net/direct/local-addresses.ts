import { BlockList, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

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
  // This network, the local link, protocol assignments, groups and everything reserved behind them.
  ...["0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/3"],
  ...["::/128", "fe80::/10", "fec0::/10", "ff00::/8"],
  // Translated to IPv4: NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380), IPv4-translated (RFC 2765).
  ...["64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0:0/96"],
  // The services of clouds for their own machines: Alibaba, Azure, AWS, Google.
  ...["100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::/32", "fd20:ce::254/128"],
);

function blockList(...networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  }
  return list;
}
