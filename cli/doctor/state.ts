import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { readIdentity } from "../../net/tls/load-identity.ts";
import { RdvError } from "../../protocol/errors.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** Files of the state directory that hold keys. */
const secretFiles = ["credentials.json", "secrets.json", "identity.pem", "relay-identity.pem"];
const others = 0o077;

/** Whether the state directory can be used, and its keys are this user's alone. */
export function checkState(stateDir: string, platform: string = process.platform): Finding {
  const found = modeOf(stateDir);
  if (found === undefined) return ok("state", `${stateDir} is not there yet; it is made when it is needed`);
  if (!canUse(stateDir))
    return fail("state", `${stateDir} cannot be read and written by this user`, ownerAdvice(stateDir));
  const kept = secretFiles.map((name) => join(stateDir, name)).filter((path) => modeOf(path) !== undefined);
  const closed = kept.find((path) => !canRead(path));
  if (closed !== undefined)
    return fail("state", `${closed} cannot be read by this user`, ownerAdvice(closed));
  // Windows has no such modes.
  const open = platform === "win32" ? [] : kept.filter((path) => ((modeOf(path) ?? 0) & others) !== 0);
  if (open.length > 0)
    return fail(
      "state",
      open.map((path) => `${path} has mode ${octal(modeOf(path))}: others can read the key`).join("; "),
      `chmod 600 ${open.join(" ")}, and make new keys if somebody may have read these`,
    );
  if (platform !== "win32" && (found & 0o022) !== 0)
    return warn(
      "state",
      `${stateDir} has mode ${octal(found)}: others can put files there`,
      `chmod 700 ${stateDir}`,
    );
  const modes = kept.length === 0 ? "without keys" : "keys readable by this user alone";
  try {
    return ok("state", `${stateDir}, ${modes}${ownKey(join(stateDir, "identity.pem"))}`);
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    return fail(
      "state",
      error.message,
      "restore that file, or move it away: this machine then has a new key",
    );
  }
}

/** What others name to let this machine in, or to know it again. */
function ownKey(path: string): string {
  const identity = readIdentity(path);
  return identity ? `; this machine's key is ${identity.fingerprint}` : "";
}

function ownerAdvice(path: string): string {
  return `run rdv as the owner of ${path}, or give another --state-dir`;
}

/** Permission bits; undefined when there is no such file. */
function modeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : found.mode & 0o777;
}

function octal(mode: number | undefined): string {
  return (mode ?? 0).toString(8).padStart(4, "0");
}

function canUse(path: string): boolean {
  return allows(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

function canRead(path: string): boolean {
  return allows(path, constants.R_OK);
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
