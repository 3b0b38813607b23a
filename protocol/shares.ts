/** What became of somebody who asked for a place. */
export type Entry<T> = "entered" | "refused" | { readonly givesWay: T };

/**
 * The places of one bounded resource, shared by holders (a source address, an account). A holder takes what is free
 * as long as it leaves room: it has at most `greed` times the places that are still free, so the shares of many
 * that want all come near each other, and a newcomer finds a place (dynamic thresholds, Choudhury and Hahne 1998).
 * A place that yields goes to somebody else when there is no other; the holder with the most of them loses its oldest.
 */
export interface Shares<T> {
  /** A yielding place for `item`. `givesWay` has lost its place to it, and is to be closed by the caller. */
  enter(holder: string, item: T): Entry<T>;
  /** Gives a yielding place back; without effect when the item has none, or none any more. */
  leave(item: T): void;
  /** A yielding place yields no more and is not known by its item any longer; its holder, or undefined if it had none. */
  settle(item: T): string | undefined;
  /** A place that does not yield, at once; false when there is none for this holder. */
  take(holder: string): boolean;
  /** Gives back a place that was settled or taken. */
  give(holder: string): void;
  /** Places of a holder, of both kinds. */
  held(holder: string): number;
  readonly inUse: number;
}

/** Shares `max` places; see `Shares`. All verbs take constant time; memory grows with the places in use alone. */
export function createShares<T>({ max, greed }: { readonly max: number; readonly greed: number }): Shares<T> {
  const holdings = new Map<string, Holding<T>>();
  const owners = new Map<T, string>();
  const ranking = createRanking();
  let inUse = 0;

  function count(holder: string, change: 1 | -1): Holding<T> {
    const holding = holdings.get(holder) ?? { places: 0, yielding: new Set<T>() };
    holding.places += change;
    inUse += change;
    if (holding.places === 0) holdings.delete(holder);
    else holdings.set(holder, holding);
    return holding;
  }

  function hasRoom(holder: string): boolean {
    const free = max - inUse;
    return free > 0 && held(holder) < Math.max(1, greed * free);
  }

  function held(holder: string): number {
    return holdings.get(holder)?.places ?? 0;
  }

  /** Takes an item out of the yielding ones; its place stays counted. */
  function forget(item: T): string | undefined {
    const holder = owners.get(item);
    if (holder === undefined) return undefined;
    owners.delete(item);
    const yielding = holdings.get(holder)?.yielding;
    ranking.move(holder, yielding?.size ?? 0, -1);
    yielding?.delete(item);
    return holder;
  }

  function leave(item: T): void {
    const holder = forget(item);
    if (holder !== undefined) count(holder, -1);
  }

  /** The oldest yielding item of whoever has the most; of the holder itself when it has its share already. */
  function makeRoom(holder: string): T | undefined {
    const own = holdings.get(holder)?.yielding;
    const largest = inUse < max ? holder : ranking.largest();
    const yielding = largest === undefined ? undefined : holdings.get(largest)?.yielding;
    if (!yielding || (largest !== holder && yielding.size <= (own?.size ?? 0))) return undefined;
    const [oldest] = yielding;
    if (oldest !== undefined) leave(oldest);
    return oldest;
  }

  return {
    held,
    leave,
    settle: forget,
    get inUse() {
      return inUse;
    },
    enter(holder, item) {
      const givesWay = hasRoom(holder) ? undefined : makeRoom(holder);
      if (givesWay === undefined && !hasRoom(holder)) return "refused";
      const { yielding } = count(holder, 1);
      ranking.move(holder, yielding.size, 1);
      yielding.add(item);
      owners.set(item, holder);
      return givesWay === undefined ? "entered" : { givesWay };
    },
    take(holder) {
      const may = hasRoom(holder);
      if (may) count(holder, 1);
      return may;
    },
    give(holder) {
      if (holdings.has(holder)) count(holder, -1);
    },
  };
}

interface Holding<T> {
  places: number;
  /** In the order in which they came. */
  readonly yielding: Set<T>;
}

/** Holders by a count that changes by one at a time, so that the largest is always at hand. */
function createRanking() {
  const byCount = new Map<number, Set<string>>();
  let top = 0;
  return {
    largest: (): string | undefined => byCount.get(top)?.values().next().value,
    /** The holder's count goes from `from` up or down by one. */
    move(holder: string, from: number, change: 1 | -1): void {
      const to = from + change;
      byCount.get(from)?.delete(holder);
      if (byCount.get(from)?.size === 0) byCount.delete(from);
      if (to > 0) byCount.set(to, (byCount.get(to) ?? new Set()).add(holder));
      if (to > top || !byCount.has(top)) top = to;
    },
  };
}
