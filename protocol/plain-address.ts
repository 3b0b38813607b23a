/**
 * An address as it is shown and compared: IPv4 written inside IPv6 (`::ffff:192.0.2.1`, as a listener for both families
 * shows it, RFC 4291 section 2.5.5.2) is IPv4, and a zone is left out.
 */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address.replace(/%.*$/, "");
}

/** Whether an address is one that a machine has for itself alone (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3). */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain === "::1" || /^127\.\d+\.\d+\.\d+$/.test(plain);
}
