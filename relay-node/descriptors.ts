import { readFileSync, readdirSync } from "node:fs";

/** Descriptors that are opened later and are not connections: files, the pump's pipes, the process's other parts. */
const reserve = { share: 0.05, least: 32, most: 512 };

/** The soft limit of open descriptors of this process; a guess that is safe almost everywhere where there is no /proc. */
export function descriptorLimit(
  readLimits = (): string => readFileSync("/proc/self/limits", "utf8"),
): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readLimits())?.[1];
    return soft === "unlimited" ? 1_048_576 : Number(soft ?? fallback);
  } catch {
    return fallback;
  }
}

const fallback = 1_024;

/** Connections and listeners that may be opened under a descriptor limit when `open` descriptors are taken. */
export function connectionBudget(limit: number, open = 0): number {
  const kept = Math.min(reserve.most, Math.max(reserve.least, Math.ceil(limit * reserve.share)));
  return Math.max(1, limit - kept - open);
}

/** Descriptors open now; undefined where there is no /proc. */
export function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length - 1; // one of them reads this directory
  } catch {
    return undefined;
  }
}
