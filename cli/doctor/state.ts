import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { readIdentity } from "../../net/tls/load-identity.ts";
import { RdvError } from "../../protocol/errors.ts";
import { checkStateDirectory } from "../../state/directory.ts";
import { readStateFile } from "../../state/read-file.ts";
import { fail, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** Files of the state directory that hold keys. */
const secretFiles = ["credentials.json", "secrets.json", "identity.pem", "relay-identity.pem"];
const others = 0o077;

/** Whether the state directory can be used, and it and its keys are this user's alone. */
export function checkState(stateDir: string): Finding {
  try {
    return examine(stateDir);
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    // Errors of the state directory say what is wrong, then what to do.
    const [detail = "", ...advice] = error.message.split("; ");
    return fail("state", detail, advice.join("; "));
  }
}

function examine(stateDir: string): Finding {
  if (!checkStateDirectory(stateDir))
    return ok("state", `${stateDir} is not there yet; it is made when it is needed`);
  if (!canUse(stateDir))
    return fail(
      "state",
      `${stateDir} cannot be read and written by this user`,
      `run rdv as the owner of ${stateDir}, or give another --state-dir`,
    );
  const kept = secretFiles.map((name) => join(stateDir, name)).filter((path) => modeOf(path) !== undefined);
  // Windows has no such modes.
  const open =
    process.platform === "win32" ? [] : kept.filter((path) => ((modeOf(path) ?? 0) & others) !== 0);
  if (open.length > 0)
    return fail(
      "state",
      open.map((path) => `${path} has mode ${octal(modeOf(path))}: others can read the key`).join("; "),
      `chmod 600 ${open.join(" ")}, and make new keys if somebody may have read these`,
    );
  for (const path of kept) readStateFile(path, { secret: true });
  const modes = kept.length === 0 ? "without keys" : "keys readable by this user alone";
  return ok("state", `${stateDir}, ${modes}${ownKey(join(stateDir, "identity.pem"))}`);
}

/** What others name to let this machine in, or to know it again. */
function ownKey(path: string): string {
  const identity = readIdentity(path);
  return identity ? `; this machine's key is ${identity.fingerprint}` : "";
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
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
