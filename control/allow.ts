/**
 * The allow-list in one spelling, without duplicates: IPv4 addresses that are written inside IPv6
 * (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) become plain IPv4, because relays see clients that way.
 */
export function canonicalAllow(allow: readonly string[]): string[] {
  return [...new Set(allow.map(canonicalRange))];
}

function canonicalRange(range: string): string {
  const [address = "", prefix] = range.toLowerCase().split("/");
  const mapped = unmap(address);
  if (mapped === undefined || (prefix !== undefined && Number(prefix) < 96)) return range.toLowerCase();
  return prefix === undefined ? mapped : `${mapped}/${Number(prefix) - 96}`;
}

/** The IPv4 address inside a mapped IPv6 address, or undefined. */
function unmap(address: string): string | undefined {
  const compact = address
    .replace(/^(0{1,4}:){5}ffff:/, "::ffff:")
    .replace(/^(0{1,4}:){1,4}:ffff:/, "::ffff:");
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(compact)?.[1];
  if (dotted !== undefined) return dotted;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compact);
  if (!hex) return undefined;
  const [high, low] = [Number.parseInt(hex[1] ?? "", 16), Number.parseInt(hex[2] ?? "", 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
