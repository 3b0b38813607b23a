import { ipv4Bits, ipv4Text, ipv6Bits, ipv6Text, mappedPrefix } from "../protocol/ip-address.ts";

/**
 * The allow-list in one spelling, without duplicates, so that one range is never two: addresses as RFC 5952 writes
 * them, bits behind the prefix zero, a prefix of full length left out. IPv4 inside IPv6 (`::ffff:192.0.2.1`, RFC 4291
 * section 2.5.5.2) becomes plain IPv4, because relays see clients that way. The ranges are valid already.
 */
export function canonicalAllow(allow: readonly string[]): string[] {
  return [...new Set(allow.map(canonicalRange))];
}

function canonicalRange(range: string): string {
  const [address = "", prefixText] = range.split("/");
  const prefix = prefixText === undefined ? undefined : Number(prefixText);
  if (!address.includes(":")) return rangeText(ipv4Bits(address), 32, prefix, ipv4Text);
  const bits = ipv6Bits(address);
  const isMapped = bits >> 32n === mappedPrefix && (prefix === undefined || prefix >= 96);
  if (!isMapped) return rangeText(bits, 128, prefix, ipv6Text);
  return rangeText(bits & 0xffff_ffffn, 32, prefix === undefined ? undefined : prefix - 96, ipv4Text);
}

function rangeText(
  bits: bigint,
  length: number,
  prefix: number | undefined,
  format: (bits: bigint) => string,
): string {
  if (prefix === undefined || prefix === length) return format(bits);
  const hostBits = BigInt(length - prefix);
  return `${format((bits >> hostBits) << hostBits)}/${prefix}`;
}
