/**
 * An address as it is shown and compared: IPv4 written inside IPv6 (`::ffff:192.0.2.1` as a listener for both families
 * shows it, `::ffff:c000:201` as URLs show it; RFC 4291 section 2.5.5.2) is IPv4, and a zone is left out.
 */
export function plainAddress(address: string): string {
  const [, dotted, high, low] = mapped.exec(address) ?? [];
  if (high !== undefined && low !== undefined) return [...bytesOf(high), ...bytesOf(low)].join(".");
  return dotted ?? address.replace(/%.*$/, "");
}

/** Whether an address is one that a machine has for itself alone (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3). */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain === "::1" || loopbackV4.test(plain);
}

/**
 * Whether a host is surely this very machine: a loopback address, in brackets or not, or a name that never leaves the
 * machine (RFC 6761 section 6.3). Other spellings of an address (`0177.0.0.1`, `127.1`) are read differently by different
 * programs, so they are not.
 */
export function isLoopbackHost(host: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(host) || isLoopback(/^\[(.+)\]$/.exec(host)?.[1] ?? host);
}

const mapped = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i;
const loopbackV4 = /^127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}$/;

/** The two bytes of one group of an IPv6 address. */
function bytesOf(group: string): [number, number] {
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 255];
}
