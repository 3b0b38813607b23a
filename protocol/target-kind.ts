import { formatIp, ipv4Text, parseIp } from "./ip-address.ts";

/**
 * What a target's address leads to. `link-local` and `metadata`: places where machines, of a cloud above all, find
 * credentials. `none`: no machine at all, or whatever listens here (RFC 6890). `plain`: everything else.
 */
export type TargetKind = "plain" | "link-local" | "metadata" | "none";

/** The kind of an address; one that a gateway turns into an IPv4 address (RFC 6052, RFC 3056) is what that one is. */
export function targetKind(address: string): TargetKind {
  const read = parseIp(address.replace(/%.*$/, ""));
  if (read === undefined) return "none";
  const inner = read.family === 6 ? embedded(read.bits) : undefined;
  if (inner !== undefined) return targetKind(inner);
  const bits = read.family === 4 ? 32 : 128;
  const isIn = ([network, prefix]: Range): boolean => {
    const start = parseIp(network);
    const rest = BigInt(bits - prefix);
    return start?.family === read.family && start.bits >> rest === read.bits >> rest;
  };
  if (metadata.some((one) => formatIp(read) === one)) return "metadata";
  if (linkLocal.some(isIn)) return "link-local";
  return nothing.some(isIn) ? "none" : "plain";
}

type Range = readonly [network: string, prefix: number];

const linkLocal: readonly Range[] = [
  ["169.254.0.0", 16],
  ["fe80::", 10],
];

/** Services of clouds for their own machines: AWS, Google, Oracle, Azure and most others; then those with their own addresses. */
const metadata: readonly string[] = [
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "fd00:42::42",
  "fe80::a9fe:a9fe",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
];

const nothing: readonly Range[] = [
  ["0.0.0.0", 8],
  ["224.0.0.0", 3],
  ["::", 128],
  ["ff00::", 8],
];

/** The IPv4 address in an IPv6 address that stands for one; undefined in all others. */
function embedded(bits: bigint): string | undefined {
  const last = ipv4Text(bits & 0xffff_ffffn);
  const upper = bits >> 32n;
  // NAT64, IPv4-translated, and IPv4-compatible but for `::` and `::1`.
  if (upper === 0x64_ff9bn << 64n || upper === 0xffff_0000n) return last;
  if (bits >> 80n === 0x64_ff9b_0001n) return last;
  if (upper === 0n && bits > 1n) return last;
  return bits >> 112n === 0x2002n ? ipv4Text((bits >> 80n) & 0xffff_ffffn) : undefined;
}
