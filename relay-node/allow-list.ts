import { BlockList, isIPv4, isIPv6 } from "node:net";
import { plainAddress } from "../protocol/plain-address.ts";

/** Whether an address may connect. */
export type AllowList = (address: string) => boolean;

/** Makes the check of an allow-list of addresses and CIDRs; an empty list allows every address. */
export function createAllowList(cidrs: readonly string[]): AllowList {
  if (cidrs.length === 0) return () => true;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", bits] = cidr.split("/");
    const family = isIPv6(network) ? "ipv6" : "ipv4";
    list.addSubnet(network, bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits), family);
  }
  return (address) => {
    const plain = plainAddress(address);
    if (isIPv4(plain)) return list.check(plain, "ipv4");
    return isIPv6(plain) && list.check(plain, "ipv6");
  };
}
