import { limits } from "../protocol/limits.ts";

interface BackoffDeps {
  /** In [0, 1). */
  readonly random?: () => number;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** Delays between attempts to get something back. */
export interface Backoff {
  /**
   * Milliseconds to wait before the next attempt; `atLeastMs` is what the other side asked for (`Retry-After`),
   * of which `limits.retryAfterMaxMs` is believed.
   */
  next(atLeastMs?: number): number;
  /** It worked: the next failure starts a new outage. */
  reset(): void;
}

/**
 * Full jitter over a window that doubles from `limits.backoffBaseMs`. The window is capped low while the outage is
 * young, so that a restart is healed within seconds, and higher afterwards, so that a long outage costs little.
 */
export function createBackoff({ random = Math.random, now = Date.now }: BackoffDeps = {}): Backoff {
  let attempts = 0;
  let since = 0;
  return {
    next(atLeastMs = 0) {
      if (attempts === 0) since = now();
      const cap = now() - since < limits.backoffYoungMs ? limits.backoffYoungCapMs : limits.backoffCapMs;
      // The exponent is bounded because 2 ** 1100 is Infinity, and the outage may last for ever.
      const window = Math.min(cap, limits.backoffBaseMs * 2 ** Math.min(attempts, 20));
      attempts += 1;
      // Jitter comes on top of the bound, or all who were told the same `Retry-After` would return together.
      return Math.round(Math.min(atLeastMs, limits.retryAfterMaxMs) + random() * window);
    },
    reset() {
      attempts = 0;
    },
  };
}
