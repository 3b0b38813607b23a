/** What the timers of a pair look at, for one direction. */
export interface DirectionState {
  /** Bytes handed to the receiver's kernel buffer so far. */
  readonly moved: number;
  /** Bytes taken from the sender and not yet handed over. */
  readonly queued: number;
  /** FIN was carried over. */
  readonly ended: boolean;
}

/** Durations in milliseconds. */
interface WatchTimes {
  readonly stallMs: number;
  readonly halfClosedMs: number;
}

type Verdict = "stalled" | "half_closed_timeout";

/** How often a pair has to be looked at so that its timers are late by a quarter of themselves at most. */
export function watchEveryMs({ stallMs, halfClosedMs }: WatchTimes): number {
  return Math.min(Math.max(Math.min(stallMs, halfClosedMs) / 4, 10), 15_000);
}

/**
 * The timers of one pair: feed it the time and both directions now and then, and it says when the pair has to be cut.
 * An open pair with nothing queued is never cut.
 */
export function createPairWatch({ stallMs, halfClosedMs, now }: WatchTimes & { readonly now: number }) {
  const stall = [createDirectionClock(now), createDirectionClock(now)] as const;
  const silence = createDirectionClock(now);
  return (at: number, aToB: DirectionState, bToA: DirectionState): Verdict | undefined => {
    const stalled = [stall[0](at, aToB.moved, aToB.queued > 0), stall[1](at, bToA.moved, bToA.queued > 0)];
    if (Math.max(...stalled) >= stallMs) return "stalled";
    const waiting = aToB.ended !== bToA.ended && aToB.queued + bToA.queued === 0;
    return silence(at, aToB.moved + bToA.moved, waiting) >= halfClosedMs ? "half_closed_timeout" : undefined;
  };
}

/** Milliseconds since `moved` last changed or `counting` began. */
function createDirectionClock(start: number): (at: number, moved: number, counting: boolean) => number {
  let since = start;
  let last = 0;
  return (at, moved, counting) => {
    if (moved !== last || !counting) {
      last = moved;
      since = at;
    }
    return at - since;
  };
}
