import { BlockList, isIPv4, isIPv6 } from "node:net";
import { plainAddress } from "../protocol/plain-address.ts";

/** Whether a connection comes from this machine. */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain === "::1" || (isIPv4(plain) && plain.startsWith("127."));
}

/** What counts as one source: an IPv4 address, or an IPv6 /64, because one subscriber has a whole /64 to draw from. */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  return isIPv6(plain) ? `${firstFourGroups(plain)}::/64` : plain;
}

/** Whether an address may connect. */
export type AllowList = (address: string) => boolean;

/** Makes the check of an allow-list of addresses and CIDRs; an empty list allows every address. */
export function createAllowList(cidrs: readonly string[]): AllowList {
  if (cidrs.length === 0) return () => true;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", bits] = cidr.split("/");
    const family = isIPv6(network) ? "ipv6" : "ipv4";
    list.addSubnet(network, bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits), family);
  }
  return (address) => {
    const plain = plainAddress(address);
    if (isIPv4(plain)) return list.check(plain, "ipv4");
    return isIPv6(plain) && list.check(plain, "ipv6");
  };
}

function firstFourGroups(address: string): string {
  const [left = "", right] = address.split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right ? right.split(":") : [];
  // A dotted IPv4 tail stands for two groups, always after the first four or part of a mapped address.
  const written = head.length + tail.length + (address.includes(".") ? 1 : 0);
  const zeros = right === undefined ? 0 : Math.max(0, 8 - written);
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
