import { performance } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createQuietRule } from "./quiet-rule.ts";

const lookMs = 5_000;

/**
 * Gives memory back once a burst is over: asks V8 for a full collection when this process has little to do and its old
 * generation has grown. V8 itself collects only when it needs room, so a process that fell silent would keep what a
 * thousand handshakes left behind for as long as it is idle. Looks every 5 s, and does not keep the process alive.
 */
export function collectWhenQuiet(): Disposable {
  const mayCollect = createQuietRule(oldGenerationBytes());
  let last = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (mayCollect({ at: performance.now(), utilization, bytes: oldGenerationBytes() })) collect();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function oldGenerationBytes(): number {
  const old = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space");
  return old?.space_used_size ?? 0;
}

/** The flag brings a global `gc` into contexts made from then on (`node --help`, `--expose-gc`). */
function collect(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("globalThis.gc?.()");
}
