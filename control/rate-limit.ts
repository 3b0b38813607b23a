import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { sourcesOf } from "../protocol/source-address.ts";
import type { Caller, Presented } from "./auth.ts";
import { adminAccount } from "./auth.ts";
import { createGuessLimit } from "./guess-limit.ts";
import { createGuessMemory } from "./guess-memory.ts";

/** A token bucket: `burst` at once, then `perSecond`. */
interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Takes one token of a key's bucket; gives the milliseconds until there is one, 0 when it was taken. */
type Bucket = (key: string) => number;

/** What became of a token; `unknown`: the look into its account failed. */
type Verdict = "right" | "wrong" | "unknown";

/** What a request costs: something new, a WebSocket, or a look. */
export type RequestKind = "create" | "connect" | "request";

/** What one isolate (or process) remembers of how often it was asked. Nothing is shared between isolates. */
export interface RateLimits {
  /**
   * Before a token is looked up: counts it against its address, and throws `too_many` for one that was wrong too
   * often. The result takes that back once the token has proved right; so many at once are bounded, too.
   */
  tryToken(presented: Presented, address: string): (verdict: Verdict) => void;
  /** After a token was found: throws `too_many` when its account asks too often. */
  mayAsk(caller: Caller, kind: RequestKind): void;
}

export function createRateLimits(now: () => number): RateLimits {
  const { remembered } = limits.wrongTokenRate;
  const failures = createGuessLimit(now, createGuessMemory(remembered), limits.wrongTokenRate);
  const buckets = {
    create: createBuckets(limits.createRate, now),
    connect: createBuckets(limits.connectRate, now),
    request: createBuckets(limits.requestRate, now),
  };
  /** Tokens found lately: an address that others misuse stays open to those who are known. */
  const known = createRecent();
  return {
    tryToken: ({ hash, isRoot }, address) => {
      const sources = sourcesOf(address);
      const isFree = isRoot || known.has(hash);
      if (!isFree && !failures.take(sources))
        throw tooMany("Too many wrong tokens came from your address", limits.wrongTokenRate.everyMs);
      return (verdict) => {
        if (verdict === "right") known.add(hash);
        if (verdict === "wrong") known.delete(hash); // it was revoked
        if (verdict === "wrong" && isFree) failures.take(sources);
        if (verdict !== "wrong" && !isFree) failures.giveBack(sources);
      };
    },
    mayAsk: ({ account, scopes }, kind) => {
      // The operator protects others from each other, not the fleet from its operator.
      if (account === adminAccount && scopes.includes("admin")) return;
      const waitMs = buckets[kind].take(account);
      if (waitMs > 0) throw tooMany("The account sends too many requests", waitMs);
    },
  };
}

/** Buckets by key; of more keys than `limits.sourcesRemembered` the one used least lately is forgotten. */
export function createBuckets({ perSecond, burst }: Rate, now: () => number): { take: Bucket } {
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>();
  const level = (key: string): number => {
    const last = buckets.get(key);
    // A clock that was set back must take no tokens away.
    return last ? Math.min(burst, last.tokens + (Math.max(0, now() - last.at) / 1_000) * perSecond) : burst;
  };
  const waitFor = (tokens: number): number => (tokens >= 1 ? 0 : ((1 - tokens) / perSecond) * 1_000);
  return {
    take: (key) => {
      const tokens = level(key);
      buckets.delete(key);
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now() });
      forgetOldest(buckets);
      return waitFor(tokens);
    },
  };
}

/** A set that forgets what was added least lately when it grows beyond `limits.sourcesRemembered`. */
function createRecent(): {
  has: (key: string) => boolean;
  add: (key: string) => void;
  delete: (key: string) => void;
} {
  const recent = new Map<string, true>();
  return {
    has: (key) => recent.has(key),
    add: (key) => {
      recent.delete(key);
      recent.set(key, true);
      forgetOldest(recent);
    },
    delete: (key) => void recent.delete(key),
  };
}

/** Maps keep the order of insertion, so the first key is the oldest. */
function forgetOldest(map: Map<string, unknown>): void {
  const oldest = map.size > limits.sourcesRemembered ? map.keys().next() : undefined;
  if (oldest && !oldest.done) map.delete(oldest.value);
}

function tooMany(what: string, waitMs: number): RdvError {
  const seconds = Math.ceil(waitMs / 1_000);
  return new RdvError("too_many", `${what}; try again in ${seconds} s`, { retryAfterMs: waitMs });
}
