import * as z from "zod";
import { createCell } from "./cell.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import type { Services } from "./services.ts";

/** What is counted for the operator: what became of offers of a direct path, and of the paths themselves. */
export const Counted = z.enum([
  "offer_candidates",
  "offer_off",
  "offer_busy",
  "offer_none",
  "offer_old",
  "offer_limited",
  "direct_opened",
  "direct_timed_out",
  "direct_refused",
]);
export type Counted = z.infer<typeof Counted>;

const Counts = z.partialRecord(Counted, z.number());
export type Counts = z.infer<typeof Counts>;

/** One of `countShards` keepers of the counters; each session tells one of them. */
export interface CountVerbs {
  add(what: Counted): void;
  counts(input: null): Counts;
}

/** How many objects share the work. */
export const countShards = 16;
/** Counts are stored this long after they changed: a write for each would be work for nothing. */
const storeMs = 10_000;

/** The keeper of one share of the counters. */
export function createCountObject(ctx: ObjectContext, { now }: Services): DurableModule<CountVerbs> {
  const stored = createCell(ctx.kv, "counts", Counts);
  const counts = { ...stored.read() };
  let storing = false;
  return {
    verbs: {
      add: (what) => {
        counts[what] = (counts[what] ?? 0) + 1;
        if (!storing) ctx.setAlarm(now() + storeMs);
        storing = true;
      },
      counts: () => ({ ...counts }),
    },
    alarm: async () => {
      storing = false;
      stored.write({ ...counts });
    },
  };
}
