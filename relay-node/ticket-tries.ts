import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { createSourceRate } from "./source-rate.ts";

/**
 * Runs a check of what a source has shown, and throws what it throws; or `too_many` without running it, when too much
 * of what this source has shown before was wrong.
 */
export type TicketTries = <T>(source: string, check: () => Promise<T>) => Promise<T>;

/**
 * Makes the bound of what strangers can cost with tickets and proofs that they made up. The checks of one source go one
 * after the other, so that what the first ones were is known before the next is looked at.
 */
export function createTicketTries(now: () => number): TicketTries {
  const rate = createSourceRate({ now, ...limits.wrongTicketRate });
  const turns = new Map<string, Promise<void>>();

  async function run<T>(source: string, check: () => Promise<T>): Promise<T> {
    if (!rate(source, 0))
      throw new RdvError("too_many", "Too many wrong tickets came from this address; try again later");
    try {
      return await check();
    } catch (error) {
      rate(source);
      throw error;
    }
  }

  return async (source, check) => {
    const mine = (turns.get(source) ?? Promise.resolve()).then(async () => run(source, check));
    const over = mine.then(ignore, ignore).then(() => {
      if (turns.get(source) === over) turns.delete(source);
    });
    turns.set(source, over);
    return await mine;
  };
}

function ignore(): void {}
