import { open } from "node:fs/promises";
import { isLoopbackHost } from "../protocol/plain-address.ts";
import type { Target } from "./target.ts";

/**
 * Whether something listens for the target on this machine, found without a connection, which a service would count
 * (sshd's log, fail2ban). Reads Linux's table of sockets, see proc(5); undefined where there is none, or when the
 * target is not on loopback.
 */
export async function isListening({ host, port }: Target): Promise<boolean | undefined> {
  if (!isLoopbackHost(host)) return undefined;
  try {
    return (
      (await hasListener("/proc/net/tcp", port)) || (await hasListener("/proc/net/tcp6", port).catch(noIpv6))
    );
  } catch {
    return undefined;
  }
}

/** The kernel lists the sockets that listen before all others, which may be a hundred thousand lines. */
async function hasListener(path: string, port: number): Promise<boolean> {
  await using table = await open(path);
  for await (const line of table.readLines({ encoding: "latin1" })) {
    const entry = parseEntry(line);
    if (entry === undefined) continue; // the line of headings
    if (entry.state !== listens) return false;
    if (entry.port === port && entry.local) return true;
  }
  return false;
}

/** The table is missing where the kernel has no IPv6. */
function noIpv6(): boolean {
  return false;
}

const listens = "0A";

/** `number: address:port peer:port state …` in hexadecimal; an address has the bytes of each word reversed. */
function parseEntry(line: string): { local: boolean; port: number; state: string } | undefined {
  const [, address, port, state] = /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line) ?? [];
  if (address === undefined || port === undefined || state === undefined) return undefined;
  const isEverywhere = /^0+$/.test(address);
  const isLocal = /^(0{16}FFFF0000)?[0-9A-F]{6}7F$/.test(address) || /^0{24}01000000$/.test(address);
  return { local: isEverywhere || isLocal, port: Number.parseInt(port, 16), state };
}
