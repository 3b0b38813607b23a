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

/** The upper 96 bits of `::ffff:0:0/96`. */
const mappedPrefix = 0xffffn;

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

function ipv4Bits(address: string): bigint {
  return address.split(".").reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

function ipv4Text(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join(".");
}

function ipv6Bits(address: string): bigint {
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
function ipv6Text(bits: bigint): string {
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
