/** The address of one of many sources: nine of ten have an IPv4 address, the others an IPv6 site. */
export function sourceAddress(n: number): string {
  return n % 10 === 0
    ? `2001:${(n % 100).toString(16)}:${(n % 65_536).toString(16)}:1::1`
    : `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
}
