import { lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { othersMayWrite, refusal, requireOwner } from "./own.ts";

const sticky = 0o1000;

/**
 * Lets pass a directory in whose place, and in place of those above it, nobody else can put another one: as sshd's
 * StrictModes asks, but others may write where the sticky bit keeps what is not theirs, as in /tmp. Throws `failed`.
 */
export function requireOwnWay(directory: string): void {
  for (let at = directory; ; at = dirname(at)) {
    requireOwner(at, lstatSync(at).uid);
    const stats = statSync(at);
    requireOwner(at, stats.uid);
    if (othersMayWrite(stats) && (stats.mode & sticky) === 0)
      throw refusal(
        at,
        "others may write it, and so replace the state directory in it",
        `\`chmod go-w ${at}\`, or give another --state-dir`,
      );
    if (at === dirname(at)) return;
  }
}
