import { limits } from "../protocol/limits.ts";
import { createShares } from "../protocol/shares.ts";
import type { Place } from "../protocol/shares.ts";

interface SharedRateOptions {
  /** Milliseconds. */
  readonly now: () => number;
  readonly perSecond: number;
}

/** Whether one more may come now from this source; it counts when it may. */
export type SharedRate = (source: string) => boolean;

/** Makes a bound of how many may come within any second, of which no source takes so much that others have nothing. */
export function createSharedRate({ now, perSecond }: SharedRateOptions): SharedRate {
  const shares = createShares<never>({ max: perSecond, greed: limits.rateGreed });
  const spent: { readonly place: Place; readonly at: number }[] = [];

  /** A clock that was set back must keep nobody out. */
  function forgetOld(at: number): void {
    for (let first = spent[0]; first && Math.abs(at - first.at) >= 1_000; first = spent[0]) {
      shares.give(first.place);
      spent.shift();
    }
  }

  return (source) => {
    const at = now();
    forgetOld(at);
    const place = shares.take(source);
    if (place) spent.push({ place, at });
    return place !== undefined;
  };
}
