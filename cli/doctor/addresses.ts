import { BlockList } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** Addresses of this machine's interfaces, as `os.networkInterfaces` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Addresses of the local network, which the internet does not carry (RFC 1918, RFC 6598). */
const privateRanges = blocks([
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
]);
const linkLocalV4 = blocks([["169.254.0.0", 16]]);

/** Which addresses this machine has, and so what it can reach. */
export function checkAddresses(interfaces: Interfaces): Finding {
  const all = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ internal }) => !internal);
  const v4 = all.filter(({ family, address }) => family === "IPv4" && !linkLocalV4.check(address));
  const v6 = all.filter(({ family, address }) => family === "IPv6" && isGlobal(address));
  const parts = [
    v4.length === 0 ? "no IPv4" : `IPv4 ${v4.map(describeV4).join(", ")}`,
    v6.length === 0 ? "no IPv6 beyond the local link" : `IPv6 ${v6.map(({ address }) => address).join(", ")}`,
  ];
  const detail = parts.join("; ");
  if (v4.length + v6.length > 0) return ok("addresses", detail);
  if (all.length > 0)
    return warn(
      "addresses",
      detail,
      "no router has given this machine an address: is it connected, does DHCP answer?",
    );
  return fail("addresses", "this machine has its loopback alone", "connect it to a network");
}

function describeV4({ address }: NetworkInterfaceInfo): string {
  return privateRanges.check(address) ? `${address} (private: behind a NAT)` : address;
}

/** 2000::/3 is all that is routed on the internet, fc00::/7 is for a site (RFC 4291, RFC 4193). */
function isGlobal(address: string): boolean {
  return /^[23f][0-9a-d]/i.test(address) && !/^f[0-9abef]/i.test(address);
}

function blocks(ranges: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, "ipv4");
  return list;
}
