import { limits } from "../protocol/limits.ts";

/** How halves get to a relay: as they are, or inside a WebSocket. */
export type Way = "tcp" | "websocket";

/** Chooses the way of each half to one relay by what became of those before. */
export interface WayChoice {
  /** The way of the next half, at a time `now` (milliseconds, monotonic). */
  next(now: number): Way;
  /** The relay itself answered. */
  worked(way: Way, now: number): void;
  /** Something else answered, or nothing did although the connection was made. */
  blocked(way: Way): void;
  /** The half before this moment was blocked, and the other way has not been tried since: worth a half at once. */
  readonly turns: boolean;
}

interface ChoiceOptions {
  readonly preferred: Way;
  /** Halves in a row that may be blocked before the other way is tried; default 2. */
  readonly patience?: number | undefined;
}

/**
 * Halves go in the preferred way until `patience` of them in a row were blocked, then by turns until one way works.
 * The other way is kept when it works, and every `limits.preferredAgainMs` one half tries the preferred one again.
 */
export function createWayChoice({ preferred, patience = 2 }: ChoiceOptions): WayChoice {
  let known = preferred;
  let blocks = 0;
  let knownSince = 0;
  let turns = false;

  const other = (): Way => (known === "tcp" ? "websocket" : "tcp");

  return {
    next(now) {
      if (blocks >= patience) return (blocks - patience) % 2 === 0 ? other() : known;
      if (known === preferred || blocks > 0 || now - knownSince < limits.preferredAgainMs) return known;
      knownSince = now;
      return preferred;
    },
    worked(way, now) {
      if (way !== known) knownSince = now;
      known = way;
      blocks = 0;
      turns = false;
    },
    blocked(way) {
      const trial = known !== preferred && way === preferred && blocks === 0;
      if (!trial) blocks += 1;
      turns = trial || blocks === patience;
    },
    get turns() {
      return turns;
    },
  };
}
