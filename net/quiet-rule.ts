/** One look at the process. */
interface Look {
  /** Milliseconds. */
  readonly at: number;
  /** Share of the time since the last look in which the event loop was busy, 0 to 1. */
  readonly utilization: number;
  /** Size of V8's old generation. */
  readonly bytes: number;
}

const quietUtilization = 0.1;
/** Between the first quiet look and the last; the first one tells of the 5 s before it. */
const quietMs = 25_000;
const grownFactor = 1.25;
const grownBytes = 4 * 1024 * 1024;
const betweenMs = 60_000;

/**
 * Makes the rule for when a full collection is worth its pause of about a millisecond a MiB: half a minute quiet, a
 * quarter and 4 MiB more than at the lowest since the last one, and no more often than once a minute. `bytes` is the
 * size at the beginning.
 */
export function createQuietRule(bytes: number): (look: Look) => boolean {
  let quietSince = Infinity;
  let lowest = bytes;
  let collectedAt = -Infinity;
  return ({ at, utilization, bytes: size }) => {
    quietSince = utilization < quietUtilization ? Math.min(quietSince, at) : Infinity;
    lowest = Math.min(lowest, size);
    const grown = size >= lowest * grownFactor + grownBytes;
    if (at - quietSince < quietMs || !grown || at - collectedAt < betweenMs) return false;
    collectedAt = at;
    // What is left then is the new base, known at the next look.
    lowest = Infinity;
    return true;
  };
}
