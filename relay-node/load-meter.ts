import { monitorEventLoopDelay } from "node:perf_hooks";

/** How busy this process is. */
export interface LoadMeter extends Disposable {
  /** 99th percentile of the event loop's delay since the last `read`, in milliseconds. */
  lagMs(): number;
  /** Bytes a second since the last `read`; starts the next period. */
  read(bytes: number): { readonly lagMs: number; readonly bytesPerSecond: number };
}

/** The sampler's own period, which its samples include. */
const resolutionMs = 20;

/** Makes a meter; `now` is in milliseconds. */
export function createLoadMeter(now: () => number): LoadMeter {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  let last = { at: now(), bytes: 0 };
  const lagMs = (): number => Math.max(0, (delay.percentile(99) || 0) / 1e6 - resolutionMs);
  return {
    lagMs,
    read(bytes) {
      const seconds = Math.max(0.001, (now() - last.at) / 1_000);
      const result = { lagMs: lagMs(), bytesPerSecond: Math.max(0, bytes - last.bytes) / seconds };
      last = { at: now(), bytes };
      delay.reset();
      return result;
    },
    [Symbol.dispose]: () => void delay.disable(),
  };
}
