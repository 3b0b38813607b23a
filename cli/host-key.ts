import { execFile } from "node:child_process";
import { createHash } from "node:crypto";

/** Asks an ssh server, at the first of its addresses that answers, for its host key, `ssh-ed25519 AAAA…`; empty when it has none, or ssh-keyscan is not here. */
export async function scanHostKey(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const args = ["-T", "3", "-t", "ed25519", "-p", String(port), "--", ...addresses];
  execFile("ssh-keyscan", args, { timeout: 5_000, signal }, (_error, stdout) => resolve(stdout));
  const line = (await promise).split("\n").find((each) => !each.startsWith("#"));
  return /^\S+ (ssh-ed25519 [A-Za-z0-9+/=]+)$/.exec(line ?? "")?.[1] ?? "";
}

/** The key's fingerprint as ssh shows it, `SHA256:…` (ssh-keygen(1) -l). */
export function fingerprint(key: string): string {
  const blob = Buffer.from(key.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** The line for ssh's known_hosts file; a port other than 22 stands there in brackets (sshd(8)). */
export function knownHostsLine(
  address: { readonly host: string; readonly port: number },
  key: string,
): string {
  const { host, port } = address;
  return `${port === 22 ? host : `[${host}]:${port}`} ${key}`;
}
