import * as z from "zod";
import { limits } from "../protocol/limits.ts";
import { createCell, createTable } from "./cell.ts";
import { Guesser, createGuessLimit } from "./guess-limit.ts";
import type { Guessers } from "./guess-limit.ts";
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
  /** Takes one try from a source, named as `sourcesOf` does; false when it has to wait, whatever its code is worth. */
  take(sources: readonly string[]): boolean;
  /** The try was a right code, which costs nothing. */
  giveBack(sources: readonly string[]): void;
  counts(input: null): GuessCounts;
}

/** How many objects share the work; a source always meets the same one. */
export const guessShards = 16;
/** Counts are stored, and old sources forgotten, this long after something changed. */
const storeMs = 10_000;
/** While sources are remembered they are looked through this often. */
const forgetMs = 10 * 60_000;

/** The keeper of one share of the sources. Wrong ones are stored: neither sleep nor restart gives them new tries. */
export function createGuessObject(ctx: ObjectContext, { now }: Services): DurableModule<GuessVerbs> {
  const stored = createCell(ctx.kv, "counts", Counts);
  const limit = createGuessLimit(now, createStoredGuessers(ctx), {
    ...limits.guessRate,
    perSecond: limits.guessRate.perSecond / guessShards,
    remembered: limits.guessRate.remembered / guessShards,
  });
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
      take: (sources) => {
        const allowed = limit.take(sources);
        count(allowed ? "wrong" : "refused", 1);
        return allowed;
      },
      giveBack: (sources) => {
        limit.giveBack(sources);
        count("wrong", -1);
      },
      counts: () => ({ ...counts }),
    },
    alarm: async () => {
      storing = false;
      stored.write({ ...counts });
      if (limit.forget() > 0) ctx.setAlarm(now() + forgetMs);
    },
  };
}

/** Guessers in an object's storage. */
function createStoredGuessers({ kv }: ObjectContext): Guessers {
  const sources = createTable(kv, "source", Guesser);
  return {
    ...sources,
    prune: (isOld) => {
      let left = 0;
      for (const [source, guesser] of sources.entries())
        if (isOld(guesser)) sources.delete(source);
        else left += 1;
      return left;
    },
  };
}
