import { must, setScheduler } from "./libc.ts";
import type { Job } from "./jobs.ts";

/* Values of Linux (sched.h). */
const SCHED_OTHER = 0;
const SCHED_BATCH = 3;

/**
 * Says whether a wake-up of the calling thread may interrupt another thread (SCHED_BATCH against it, sched(7)). A
 * generator stands for other machines, whose segments do not take a relay off its core in the midst of its work.
 */
export function setPreemption(may: boolean): void {
  must("sched_setscheduler", setScheduler(0, may ? SCHED_OTHER : SCHED_BATCH, Buffer.alloc(4)));
}

/**
 * Jobs that move all they can: their generators keep a core busy, so that what counts is not a wake-up but a fair share
 * of the machine. One that always gave way to the relay would be measured itself.
 */
export function isBulk({ type }: Job): boolean {
  return type === "streams" || type === "stall";
}
