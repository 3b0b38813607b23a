import * as z from "zod";

/** An IP address as a number. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

const strict = { 4: z.ipv4(), 6: z.ipv6() };

/**
 * Reads an address: four decimal bytes without leading zeros, or IPv6 in any of its spellings (RFC 4291 section 2.2)
 * without a zone. Everything else, decimal, octal and hexadecimal IPv4 among it, is undefined. IPv4 written inside
 * IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is IPv4, because sockets take it for that.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (strict[4].safeParse(text).success) return { family: 4, bits: ipv4Bits(text) };
  if (!strict[6].safeParse(text).success) return undefined;
  const bits = ipv6Bits(text);
  return bits >> 32n === mappedPrefix ? { family: 4, bits: bits & 0xffff_ffffn } : { family: 6, bits };
}

/** An address in its one spelling: RFC 5952 for IPv6. */
export function formatIp({ family, bits }: IpAddress): string {
  return family === 4 ? ipv4Text(bits) : ipv6Text(bits);
}

/** The upper 96 bits of `::ffff:0:0/96`. */
export const mappedPrefix = 0xffffn;

/** The bits of an address that is valid. */
export function ipv4Bits(address: string): bigint {
  return address.split(".").reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

export function ipv4Text(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join(".");
}

/** The bits of an address that is valid. */
export function ipv6Bits(address: string): bigint {
  const [head = [], tail] = address.split("::").map(groupsOf);
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array.from({ length: zeros }, () => 0n), ...(tail ?? [])];
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** The groups of one side of `::`; the last one may be a dotted IPv4 address, which is two groups. */
function groupsOf(text: string): bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const bits = ipv4Bits(group);
    return [bits >> 16n, bits & 0xffffn];
  });
}

/** RFC 5952: no leading zeros, lower case, the first longest run of two or more zero groups as `::`. */
export function ipv6Text(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const run = longestZeros(groups);
  if (run.length < 2) return groups.join(":");
  const [head, tail] = [groups.slice(0, run.from), groups.slice(run.from + run.length)];
  return `${head.join(":")}::${tail.join(":")}`;
}

function longestZeros(groups: readonly string[]): { readonly from: number; readonly length: number } {
  let longest = { from: 0, length: 0 };
  for (let from = 0; from < groups.length; from += 1) {
    let length = 0;
    while (groups[from + length] === "0") length += 1;
    if (length > longest.length) longest = { from, length };
  }
  return longest;
}
