import * as z from "zod";
import { limits } from "../protocol/limits.ts";
import { createCell } from "./cell.ts";
import { createGuessLimit } from "./guess-limit.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import type { Services } from "./services.ts";

const Counts = z.object({
  /** Codes that were no invitation. */
  wrong: z.number(),
  /** Tries that were refused before anybody looked at the code. */
  refused: z.number(),
});
export type GuessCounts = z.infer<typeof Counts>;

/** One of `guessShards` keepers of the books about wrong codes; each source belongs to one of them. */
export interface GuessVerbs {
  /** Takes one try from a source; false when it has to wait, whatever its code is worth. */
  take(source: string): boolean;
  /** The try was a right code, which costs nothing. */
  giveBack(source: string): void;
  counts(input: null): GuessCounts;
}

/** How many objects share the work; a source always meets the same one. */
export const guessShards = 16;
/** Counts are stored this long after they changed: a write for each guess would be work for nothing. */
const storeMs = 10_000;

/** The keeper of one share of the sources. What it remembers of them is lost when it sleeps, which takes quiet. */
export function createGuessObject(ctx: ObjectContext, { now }: Services): DurableModule<GuessVerbs> {
  const stored = createCell(ctx.kv, "counts", Counts);
  const limit = createGuessLimit({ now, perSecond: limits.guessesPerSecond / guessShards });
  const counts = { ...(stored.read() ?? { wrong: 0, refused: 0 }) };
  let storing = false;

  function count(what: keyof GuessCounts, by: 1 | -1): void {
    counts[what] += by;
    if (storing) return;
    storing = true;
    ctx.setAlarm(now() + storeMs);
  }

  return {
    verbs: {
      take: (source) => {
        const allowed = limit.take(source);
        count(allowed ? "wrong" : "refused", 1);
        return allowed;
      },
      giveBack: (source) => {
        limit.giveBack(source);
        count("wrong", -1);
      },
      counts: () => ({ ...counts }),
    },
    alarm: async () => {
      storing = false;
      stored.write({ ...counts });
    },
  };
}
