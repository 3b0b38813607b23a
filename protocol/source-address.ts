import { plainAddress } from "./plain-address.ts";

/** What counts as one source: an IPv4 address, or an IPv6 /64, because one subscriber has a whole /64 to draw from. */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  return plain.includes(":") ? `${firstFourGroups(plain)}::/64` : plain;
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
