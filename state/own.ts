import type { Stats } from "node:fs";
import { RdvError } from "../protocol/errors.ts";

const readableByOthers = 0o077;

/**
 * Lets pass what belongs to this user or to root and what nobody else may write; a secret may not be read by others,
 * either. Throws `failed`. Windows has neither such owners nor such modes.
 */
export function requireOwn(path: string, stats: Stats, secret = false): void {
  const { uid, mode } = stats;
  requireOwner(path, uid);
  if (process.platform === "win32") return;
  if (othersMayWrite(stats))
    throw refusal(
      path,
      `others may write it (mode ${octal(mode)})`,
      `look at what is there, then \`chmod go-w ${path}\`, or give another --state-dir`,
    );
  if (secret && (mode & readableByOthers) !== 0)
    throw refusal(
      path,
      `others may read this secret (mode ${octal(mode)})`,
      `chmod 600 ${path}, and make new keys if somebody may have read it`,
    );
}

/** Lets pass what belongs to this user or to root: its owner could change it at any time, and must be able to read it. */
export function requireOwner(path: string, owner: number): void {
  const user = process.getuid?.();
  if (user === undefined || owner === user || owner === 0) return;
  throw refusal(
    path,
    `it belongs to user ${owner}, and this is user ${user}`,
    `run rdv as that user (\`sudo -u '#${owner}' rdv …\`), or give a --state-dir of your own`,
  );
}

/**
 * Whether users besides the owner may write. A group of the owner's own number is the owner alone, as systems that give
 * each user a group make it, with a umask of 002.
 */
export function othersMayWrite({ uid, gid, mode }: Pick<Stats, "uid" | "gid" | "mode">): boolean {
  const writers = gid === uid ? 0o002 : 0o022;
  return process.platform !== "win32" && (mode & writers) !== 0;
}

/** The error for a part of the state directory that is not used: why, and what to do. */
export function refusal(path: string, why: string, advice: string, cause?: unknown): RdvError {
  return new RdvError("failed", `cannot use ${path}: ${why}; ${advice}`, { cause });
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
