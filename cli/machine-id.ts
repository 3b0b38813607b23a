import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";

/**
 * What this machine calls itself towards one invitation, so that it may come again with the same code.
 * A hash with the invitation's URL: nobody learns the machine's number from it, or recognizes it elsewhere.
 */
export function machineId(url: string): string {
  const own = readOr("/etc/machine-id", "").trim();
  return createHash("sha256")
    .update(JSON.stringify([own, hostname(), userInfo().uid, url]))
    .digest("hex");
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
