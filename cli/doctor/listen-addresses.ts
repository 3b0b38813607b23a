import { readFileSync } from "node:fs";

const listening = "0A";

/**
 * Single addresses of this machine at which something listens on a port (proc(5), /proc/net/tcp): those that answer
 * nowhere else. None where there is no /proc.
 */
export function listenAddresses(port: number): string[] {
  const v4 = entries("/proc/net/tcp", port).map(parseV4);
  const v6 = entries("/proc/net/tcp6", port).map(parseV6);
  return [...new Set([...v4, ...v6])].filter((address) => address !== "0.0.0.0" && address !== "::");
}

/** Hexadecimal addresses of the listeners on a port. */
function entries(table: string, port: number): string[] {
  return read(table)
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      const [address = "", hexPort = ""] = local.split(":");
      return state === listening && Number.parseInt(hexPort, 16) === port ? [address] : [];
    });
}

/** The table shows 32-bit words in the machine's own order, which is little-endian wherever Node runs. */
function parseV4(hex: string): string {
  return [...Buffer.from(hex, "hex")].toReversed().join(".");
}

function parseV6(hex: string): string {
  const words = Buffer.from(hex, "hex").swap32();
  const groups = Array.from({ length: 8 }, (_, place) => words.readUInt16BE(place * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1); // the short form (RFC 5952)
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
