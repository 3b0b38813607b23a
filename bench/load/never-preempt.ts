import { must, setScheduler } from "./libc.ts";

/* Values of Linux (sched.h). */
const SCHED_BATCH = 3;
const SCHED_RESET_ON_FORK = 0x40000000;

/**
 * From now on a wake-up of the calling thread never interrupts another thread (SCHED_BATCH, sched(7)); what it starts
 * is scheduled as ever. A generator stands for other machines, whose segments do not take a relay off its core in the
 * midst of its work.
 */
export function neverPreempt(): void {
  const priority = Buffer.alloc(4);
  must("sched_setscheduler", setScheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, priority));
}
