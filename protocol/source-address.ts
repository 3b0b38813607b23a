import { plainAddress } from "./plain-address.ts";

/** What counts as one source: an IPv4 address, or an IPv6 /64, because one subscriber has a whole /64 to draw from. */
export function sourceOf(address: string): string {
  return sourcesOf(address)[0];
}

/**
 * The sources that an address may stand for, the narrowest first: an IPv4 address; of IPv6 the /64 of one network, and
 * the /56, /48 and /32 that a home, a site and a provider have to draw from (RFC 6177). What is no address is one source.
 * The texts are made anew: a piece of a longer text would keep the whole of it in memory.
 */
export function sourcesOf(address: string): readonly [string, ...string[]] {
  const plain = plainAddress(address);
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(plain)) return [plain.split(".").map(Number).join(".")];
  if (!/^[0-9a-f:.]{2,45}$/i.test(plain) || !plain.includes(":")) return ["unknown"];
  const [a = 0, b = 0, c = 0, d = 0] = firstFourGroups(plain);
  return [range(64, [a, b, c, d]), range(56, [a, b, c, d & 0xff00]), range(48, [a, b, c]), range(32, [a, b])];
}

function range(prefix: number, groups: readonly number[]): string {
  return `${groups.map((group) => group.toString(16)).join(":")}::/${prefix}`;
}

function firstFourGroups(address: string): number[] {
  const [left = "", right] = address.split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right ? right.split(":") : [];
  // A dotted IPv4 tail stands for two groups, always after the first four or part of a mapped address.
  const written = head.length + tail.length + (address.includes(".") ? 1 : 0);
  const zeros = right === undefined ? 0 : Math.max(0, 8 - written);
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16) & 0xffff);
}
