import { at } from "./at.ts";
import type { Flow } from "./flow.ts";
import type { Pairs } from "./pairs.ts";
import type { SharedTable } from "./shared-table.ts";
import type { UserTimeouts } from "./user-timeout.ts";
import { watchEveryMs } from "../pump-watch.ts";

/** The timers of all pairs of a worker, looked at now and then so that moving bytes never asks for the time. */
export interface Sweep {
  /** Begins the timers of a pair. */
  start(slot: number, now: number): void;
  /** Milliseconds until `run` is due. */
  dueIn(now: number): number;
  /** Cuts the pairs whose time is over. */
  run(now: number): void;
}

interface SweepDeps {
  readonly table: SharedTable;
  readonly flow: Flow;
  readonly pairs: Pairs;
  readonly timeouts: UserTimeouts;
}

/** A sweep that is late by a quarter of the shortest timer at most. */
export function createSweep({ table, flow, pairs, timeouts }: SweepDeps): Sweep {
  const { moved, stallMs, halfClosedMs } = table;
  const seen = new Float64Array(moved.length);
  const progressAt = new Float64Array(moved.length);
  const silentSince = new Float64Array(moved.length / 2);
  let every = longestEveryMs;
  let last = 0;
  return { start, dueIn: (now) => Math.max(0, Math.ceil(last + every - now)), run };

  function start(slot: number, now: number): void {
    seen[2 * slot] = 0;
    seen[2 * slot + 1] = 0;
    progressAt[2 * slot] = now;
    progressAt[2 * slot + 1] = now;
    silentSince[slot] = now;
    every = Math.min(every, everyMs(slot));
  }

  function run(now: number): void {
    last = now;
    every = longestEveryMs;
    for (let slot = 0; slot < pairs.slots(); slot += 1) if (pairs.alive(slot)) look(slot, now);
  }

  function look(slot: number, now: number): void {
    const a = 2 * slot;
    const b = a + 1;
    every = Math.min(every, everyMs(slot));
    const progressed = [advance(a, now), advance(b, now)].includes(true);
    const oneEnded = flow.ended(a) !== flow.ended(b);
    const silent = !progressed && flow.queued(a) + flow.queued(b) === 0;
    if (silent) timeouts.silent(slot);
    else timeouts.busy(slot);
    if (!silent || !oneEnded) silentSince[slot] = now;
    if (Math.min(at(progressAt, a), at(progressAt, b)) + at(stallMs, slot) <= now)
      pairs.abort(slot, "stalled");
    else if (at(silentSince, slot) + at(halfClosedMs, slot) <= now) pairs.abort(slot, "half_closed_timeout");
  }

  /** Notes the progress of a direction; one with nothing queued counts as progressing, because it owes nothing. */
  function advance(direction: number, now: number): boolean {
    const changed = at(moved, direction) !== at(seen, direction);
    seen[direction] = at(moved, direction);
    if (changed || flow.queued(direction) === 0) progressAt[direction] = now;
    return changed;
  }

  function everyMs(slot: number): number {
    return watchEveryMs({ stallMs: at(stallMs, slot), halfClosedMs: at(halfClosedMs, slot) });
  }
}

const longestEveryMs = 15_000;
