import { readFile } from "node:fs/promises";
import type { Target } from "./target.ts";

/**
 * Whether something listens for the target on this machine, found without a connection, which a service would count
 * (sshd's log, fail2ban). Reads Linux's table of sockets, see proc(5); undefined where there is none, or when the
 * target is not on loopback.
 */
export async function isListening({ host, port }: Target): Promise<boolean | undefined> {
  if (!/^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host)) return undefined;
  try {
    const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map(readTable));
    return tables
      .join("")
      .split("\n")
      .some((line) => isListener(line, port));
  } catch {
    return undefined;
  }
}

/** The table of IPv6 is missing where the kernel has no IPv6. */
async function readTable(path: string): Promise<string> {
  return await readFile(path, "latin1").catch((error: unknown) => {
    if (path.endsWith("6")) return "";
    throw error;
  });
}

/** Each line is `number: address:port peer:port state …` in hexadecimal; an address has the bytes of each word reversed. */
function isListener(line: string, port: number): boolean {
  const [, local = "", , state] = line.trim().split(/\s+/);
  const [address = "", localPort = ""] = local.split(":");
  const isEverywhere = /^0+$/.test(address);
  const isLoopback = /^(0{16}FFFF0000)?[0-9A-F]{6}7F$/.test(address) || /^0{24}01000000$/.test(address);
  return state === "0A" && Number.parseInt(localPort, 16) === port && (isEverywhere || isLoopback);
}
