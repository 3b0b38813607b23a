/**
 * An address as it is shown and compared: IPv4 written inside IPv6 (`::ffff:192.0.2.1`, as a listener for both families
 * shows it, RFC 4291 section 2.5.5.2) is IPv4, and a zone is left out.
 */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address.replace(/%.*$/, "");
}
