import { readFileSync, readdirSync } from "node:fs";

/** These processes and all that they started, as the kernel lists them (proc(5)); processes that are gone are left out. */
export function withDescendants(roots: readonly number[]): number[] {
  const found = new Set<number>();
  const visit = (pid: number): void => {
    if (found.has(pid)) return;
    const threads = list(`/proc/${pid}/task`);
    if (threads.length === 0) return;
    found.add(pid);
    for (const thread of threads)
      for (const child of text(`/proc/${pid}/task/${thread}/children`).split(" "))
        if (child !== "") visit(Number(child));
  };
  roots.forEach(visit);
  return [...found];
}

/**
 * CPU seconds, user and system, of all threads of these processes. The scheduler's own count has nanoseconds where
 * `utime` and `stime` have 10 ms, too coarse for a second of measuring.
 */
export function cpuSeconds(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids)
    for (const thread of list(`/proc/${pid}/task`))
      nanoseconds += Number(text(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0);
  return nanoseconds / 1e9;
}

/** Thread ids of these processes. */
export function threadsOf(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => list(`/proc/${pid}/task`).map(Number));
}

/** User-space memory in bytes: each process's share of its resident pages (`Pss`). */
export function memoryBytes(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids)
    kib += Number(/^Pss:\s+(\d+) kB/m.exec(text(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return kib * 1024;
}

/** Open descriptors of these processes. */
export function descriptorCount(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + list(`/proc/${pid}/fd`).length, 0);
}

/* A process may end between two looks; then it has nothing to show. */
function text(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
