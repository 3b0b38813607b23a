import { limits } from "../protocol/limits.ts";

interface SourceRateOptions {
  /** Milliseconds. */
  readonly now: () => number;
  readonly perSecond?: number;
  readonly burst?: number;
  readonly remembered?: number;
}

/** Decides whether a source may open one more connection now, and counts it; a `cost` of 0 only asks, -1 gives one back. */
export type SourceRate = (key: string, cost?: -1 | 0 | 1) => boolean;

/** A token bucket a key: `burst` at once, `perSecond` refilled; of more keys than `remembered` the oldest is forgotten. */
export function createSourceRate(options: SourceRateOptions): SourceRate {
  const { now, perSecond = limits.sourceConnectsPerSecond, burst = limits.sourceBurst } = options;
  const { remembered = limits.sourcesRemembered } = options;
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (key, cost = 1) => {
    const at = now();
    const last = buckets.get(key) ?? { tokens: burst, at };
    // A clock that was set back must take no tokens away.
    const seconds = Math.max(0, at - last.at) / 1_000;
    const tokens = Math.min(burst, last.tokens + seconds * perSecond);
    const left = cost > 0 && tokens < 1 ? tokens : Math.min(burst, tokens - cost);
    buckets.delete(key);
    buckets.set(key, { tokens: left, at });
    const oldest = buckets.size > remembered ? buckets.keys().next() : undefined;
    if (oldest && !oldest.done) buckets.delete(oldest.value);
    return tokens >= 1;
  };
}
