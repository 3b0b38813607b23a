/** Divides the event loop among the directions of a portable pump: nobody may hold it for long. */
export interface Turns {
  /** Bytes that a direction may carry before it rests. */
  share(): number;
  /** Calls `go` in the next turn of the event loop. */
  next(go: () => void): void;
}

/** Few directions carry much at a time, which costs least; many carry less, so that none waits long for its turn. */
export function createTurns(): Turns {
  let waiting: (() => void)[] = [];
  let busy = 0;

  function run(): void {
    const due = waiting;
    waiting = [];
    busy = due.length;
    for (const go of due) go();
  }

  return {
    share: () => Math.max(leastShare, Math.floor(mostShare / (busy + 1))),
    next(go) {
      if (waiting.length === 0) setImmediate(run);
      waiting.push(go);
    },
  };
}

/** Bytes; Node reads 64 KiB at a time, and one such read more than it is asked for. */
const mostShare = 1024 * 1024;
const leastShare = 64 * 1024;
