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
}

/**
 * Halves go as they are until `patience` of them in a row were blocked, then by turns until one way works. A WebSocket
 * that works is kept, and every `limits.plainAgainMs` one half tries whether it is still needed.
 */
export function createWayChoice(patience = 2): WayChoice {
  let known: Way = "tcp";
  let blocks = 0;
  let knownSince = 0;

  const other = (): Way => (known === "tcp" ? "websocket" : "tcp");
  const isTrial = (way: Way): boolean => known === "websocket" && way === "tcp" && blocks === 0;

  return {
    next(now) {
      if (blocks >= patience) return (blocks - patience) % 2 === 0 ? other() : known;
      if (known === "tcp" || blocks > 0 || now - knownSince < limits.plainAgainMs) return known;
      knownSince = now;
      return "tcp";
    },
    worked(way, now) {
      if (way !== known) knownSince = now;
      known = way;
      blocks = 0;
    },
    blocked(way) {
      if (!isTrial(way)) blocks += 1;
    },
  };
}
