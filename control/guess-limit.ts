import { limits } from "../protocol/limits.ts";

interface GuessLimitDeps {
  /** Milliseconds. */
  readonly now: () => number;
  /** Wrong codes a second from all sources of this limit. */
  readonly perSecond: number;
}

/** Bounds how many codes are tried, by source and altogether. */
export interface GuessLimit {
  /** Takes one try; false when the source has to wait. */
  take(source: string): boolean;
  giveBack(source: string): void;
}

/** The bucket of all holds this many seconds' worth: a handful of mistyped codes at one moment is no attack. */
const commonBurstSeconds = 5;
/** Sources that are remembered; the one that was not seen for the longest time is forgotten first. */
const remembered = 5_000;

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A bucket of tries a source, and one for all. When that one is empty only sources without a wrong code get a try:
 * whoever attacks from everywhere slows down the guessers, and not the person who has a code.
 */
export function createGuessLimit({ now, perSecond }: GuessLimitDeps): GuessLimit {
  const { guessBurst, guessEveryMs } = limits;
  const commonBurst = perSecond * commonBurstSeconds;
  const sources = new Map<string, Bucket>();
  const all: Bucket = { tokens: commonBurst, at: now() };

  function refilled(bucket: Bucket, burst: number, everyMs: number): number {
    return Math.min(burst, bucket.tokens + (now() - bucket.at) / everyMs);
  }

  function put(source: string, tokens: number): void {
    sources.delete(source);
    if (tokens < guessBurst) sources.set(source, { tokens, at: now() });
    const oldest = sources.size > remembered ? sources.keys().next() : undefined;
    if (oldest && !oldest.done) sources.delete(oldest.value);
  }

  return {
    take(source) {
      const known = sources.get(source);
      const own = known ? refilled(known, guessBurst, guessEveryMs) : guessBurst;
      const common = refilled(all, commonBurst, 1_000 / perSecond);
      const isClean = own >= guessBurst;
      const allowed = own >= 1 && (isClean || common >= 1);
      put(source, allowed ? own - 1 : own);
      if (allowed) Object.assign(all, { tokens: Math.max(0, common - 1), at: now() });
      return allowed;
    },
    giveBack(source) {
      const known = sources.get(source);
      if (known) put(source, refilled(known, guessBurst, guessEveryMs) + 1);
      all.tokens = Math.min(commonBurst, all.tokens + 1);
    },
  };
}
