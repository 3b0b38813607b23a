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
 * Whether an address that somebody else names may be dialled: not this machine itself, not a whole group, and not the
 * local link, where machines of a cloud find their credentials (RFC 6890).
 */
export function isDialable(address: string, loopback = false): boolean {
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  return !never.check(address, family) && (loopback || !ownMachine.check(address, family));
}

const ownMachine = new BlockList();
ownMachine.addSubnet("127.0.0.0", 8, "ipv4");
ownMachine.addAddress("::1", "ipv6");

const never = new BlockList();
never.addSubnet("0.0.0.0", 8, "ipv4");
never.addSubnet("169.254.0.0", 16, "ipv4");
never.addSubnet("224.0.0.0", 3, "ipv4");
never.addAddress("::", "ipv6");
never.addSubnet("fe80::", 10, "ipv6");
never.addSubnet("ff00::", 8, "ipv6");
