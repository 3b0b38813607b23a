import { lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { RdvError } from "../protocol/errors.ts";
import { refusal, requireOwn, requireOwner } from "./own.ts";
import { requireOwnWay } from "./own-way.ts";

/** Makes a state directory of mode 0700 where there is none, and checks the one that is there. Throws `failed`. */
export function makeStateDirectory(directory: string): void {
  if (checkStateDirectory(directory)) return;
  orRefuse(directory, () => {
    // Root would leave a directory that the owner of the one around it cannot enter.
    requireOwnWay(nearestParent(directory));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  });
  checkStateDirectory(directory);
}

/** Whether there is a state directory. Throws `failed` for one that others own, may write or may replace, or that is none. */
export function checkStateDirectory(directory: string): boolean {
  return orRefuse(directory, () => {
    const named = lstatSync(directory, { throwIfNoEntry: false });
    if (!named) return false;
    // A link is as good as its owner, who may have moved the directory to another disk.
    requireOwner(directory, named.uid);
    const found = statSync(directory);
    if (!found.isDirectory()) throw refusal(directory, "it is no directory", "give another --state-dir");
    requireOwn(directory, found);
    for (const path of new Set([resolve(directory), realpathSync(directory)])) requireOwnWay(dirname(path));
    return true;
  });
}

function nearestParent(directory: string): string {
  let at = dirname(resolve(directory));
  while (!statSync(at, { throwIfNoEntry: false }) && at !== dirname(at)) at = dirname(at);
  return at;
}

function orRefuse<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof RdvError) throw cause;
    const { message } = cause as Error; // fs throws Errors
    throw refusal(directory, message, "run rdv as its owner, or give another --state-dir", cause);
  }
}
