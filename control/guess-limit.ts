import * as z from "zod";

/** One source that was wrong: when its budget is whole again, in milliseconds since 1970, and its tries that were not given back. */
export const Guesser = z.object({ fullAt: z.number(), tries: z.number().int() });
export type Guesser = z.infer<typeof Guesser>;

/** Where the sources that were wrong are remembered: in memory, or in an object's storage. */
export interface Guessers {
  get(source: string): Guesser | undefined;
  set(source: string, guesser: Guesser): unknown;
  delete(source: string): unknown;
  /** Deletes those that are old; gives how many are left. */
  prune(isOld: (guesser: Guesser) => boolean): number;
}

export interface GuessLimitOptions {
  /** Tries of the narrowest source: so many at once, and one more after so many milliseconds. */
  readonly burst: number;
  readonly everyMs: number;
  /** Tries a second of all sources together that were wrong lately. */
  readonly perSecond: number;
  /** A source counts as wrong for this long after its budget is whole again. */
  readonly memoryMs: number;
  /** Sources that are remembered at once. */
  readonly remembered: number;
}

/** Bounds how many secrets are tried, by source and altogether. A source is named as `sourcesOf` does, the narrowest first. */
export interface GuessLimit {
  /** Takes one try; false when the source has to wait. */
  take(sources: readonly string[]): boolean;
  /** The try was no guess: it costs nothing. */
  giveBack(sources: readonly string[]): void;
  /** Forgets the sources that were not wrong for long; gives how many are still remembered. */
  forget(): number;
}

/** What a source may do in terms of the narrowest one: a /64, the /56, the /48 and the /32 around it. */
const shares = [1, 2, 4, 16] as const;
/** The common budget holds this many seconds' worth: a handful of mistyped codes at one moment is no attack. */
const commonBurstSeconds = 5;
/** A full memory is looked through this often, at most. */
const forgetEveryMs = 60_000;

/**
 * Budgets within budgets: a try takes one of its /64 and of every wider range around it. What sources take that were
 * wrong lately is bounded for all of them together. A source that was not wrong lately gets its try as long as there is
 * room to remember it, so whoever attacks from everywhere slows down the guessers, and not the person who has the
 * secret; and no more than `remembered` sources come in that way within `memoryMs`.
 */
export function createGuessLimit(
  now: () => number,
  guessers: Guessers,
  { burst, everyMs, perSecond, memoryMs, remembered }: GuessLimitOptions,
): GuessLimit {
  const common = { tokens: perSecond * commonBurstSeconds, at: now() };
  const isOld = ({ fullAt }: Guesser): boolean => fullAt + memoryMs <= now();
  let size = guessers.prune(isOld);
  let forgotAt = now();

  /** How long one try takes to come back. */
  const costMs = (level: number): number => everyMs / (shares[level] ?? 1);
  function known(source: string): Guesser | undefined {
    const found = guessers.get(source);
    return found && !isOld(found) ? found : undefined;
  }

  function takeCommon(): boolean {
    // A clock that was set back must take nothing away.
    const passed = Math.max(0, now() - common.at);
    const tokens = Math.min(perSecond * commonBurstSeconds, common.tokens + (passed / 1_000) * perSecond);
    Object.assign(common, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now() });
    return tokens >= 1;
  }

  function put(source: string, guesser: Guesser): void {
    const isNew = guessers.get(source) === undefined;
    if (isNew && size >= remembered) return;
    if (isNew) size += 1;
    guessers.set(source, guesser);
  }

  function remove(source: string): void {
    if (guessers.get(source) === undefined) return;
    guessers.delete(source);
    size -= 1;
  }

  function forget(): number {
    forgotAt = now();
    size = guessers.prune(isOld);
    return size;
  }

  /** Room for every range that is not remembered yet. */
  function hasRoom(sources: readonly string[]): boolean {
    const added = sources.filter((source) => guessers.get(source) === undefined).length;
    if (size + added > remembered && now() - forgotAt >= forgetEveryMs) forget();
    return size + added <= remembered;
  }

  return {
    forget,
    take(sources) {
      const before = sources.map(known);
      const full = (level: number): number => Math.max(now(), before[level]?.fullAt ?? 0);
      const isWithin = sources.every((_, level) => full(level) + costMs(level) <= now() + burst * everyMs);
      if (!isWithin) return false;
      const isClean = before[0] === undefined && hasRoom(sources);
      if (!isClean && !takeCommon()) return false;
      for (const [level, source] of sources.entries())
        put(source, { fullAt: full(level) + costMs(level), tries: (before[level]?.tries ?? 0) + 1 });
      return true;
    },
    giveBack(sources) {
      // The first try of a source is not one of the common ones.
      if ((guessers.get(sources[0] ?? "")?.tries ?? 0) > 1) common.tokens += 1;
      for (const [level, source] of sources.entries()) {
        const guesser = guessers.get(source);
        if (!guesser) continue;
        const { fullAt, tries } = guesser;
        if (tries <= 1) remove(source);
        else guessers.set(source, { fullAt: fullAt - costMs(level), tries: tries - 1 });
      }
    },
  };
}
