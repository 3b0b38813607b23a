/** What became of somebody who asked for a place. */
export type Entry<T> = "entered" | "refused" | { readonly givesWay: T };

/** A place that is known by itself, no longer by an item. */
export interface Place {
  readonly holder: string;
}

/**
 * The places of one bounded resource, shared by holders (a source address, an account). A holder takes what is free
 * as long as it leaves room (see `hasRoom`). A place that yields goes to somebody else when there is no other; the
 * holder with the most of them loses its oldest.
 */
export interface Shares<T> {
  /** A yielding place for `item`. `givesWay` has lost its place to it, and is to be closed by the caller. */
  enter(holder: string, item: T): Entry<T>;
  /** The item's place yields no more, and is its new holder's; false, and nothing changes, when that one has its share. */
  settle(item: T, holder?: string): boolean;
  /** Gives an item's place back; without effect when it has none, or none any more. */
  leave(item: T): void;
  /** The item's place, from now on known by itself; undefined when it has none. */
  detach(item: T): Place | undefined;
  /** A place without an item, which does not yield; undefined when there is none for this holder. */
  take(holder: string): Place | undefined;
  /** Gives back a place that was detached or taken. Call it once for each. */
  give(place: Place): void;
  /** Places of a holder, of all kinds. */
  held(holder: string): number;
  readonly inUse: number;
}

/**
 * Whether somebody who holds `held` places of a resource may have one more when `free` are left: at most `greed` times
 * what is free, so the shares of many that want all come near each other, and a newcomer finds a place
 * (dynamic thresholds, Choudhury and Hahne 1998).
 */
export function hasRoom(held: number, free: number, greed: number): boolean {
  return free > 0 && held < Math.max(1, greed * free);
}

/** Shares `max` places. All verbs take constant time; memory grows with the places in use alone. */
export function createShares<T>({ max, greed }: { readonly max: number; readonly greed: number }): Shares<T> {
  const holdings = new Map<string, Holding<T>>();
  const items = new Map<T, Holding<T>>();
  const ranking = createRanking<T>();
  let inUse = 0;

  const held = (holder: string): number => holdings.get(holder)?.places ?? 0;

  function holdingOf(holder: string): Holding<T> {
    return holdings.get(holder) ?? { holder, places: 0, yielding: new Set() };
  }

  function count(holding: Holding<T>, change: 1 | -1): void {
    holding.places += change;
    inUse += change;
    if (holding.places > 0) holdings.set(holding.holder, holding);
    else holdings.delete(holding.holder);
  }

  function yieldNoMore(item: T, holding: Holding<T>): void {
    if (!holding.yielding.has(item)) return;
    ranking.move(holding, -1);
    holding.yielding.delete(item);
  }

  function detach(item: T): Holding<T> | undefined {
    const holding = items.get(item);
    items.delete(item);
    if (holding) yieldNoMore(item, holding);
    return holding;
  }

  function leave(item: T): void {
    const holding = detach(item);
    if (holding) count(holding, -1);
  }

  /** The oldest yielding item of whoever has the most; of the holder itself when it has its share or as many. */
  function makeRoom(own: Holding<T>): T | undefined {
    const largest = inUse < max ? own : (ranking.largest() ?? own);
    const [oldest] = largest.yielding.size > own.yielding.size ? largest.yielding : own.yielding;
    if (oldest !== undefined) leave(oldest);
    return oldest;
  }

  return {
    held,
    leave,
    detach,
    get inUse() {
      return inUse;
    },
    enter(holder, item) {
      const room = hasRoom(held(holder), max - inUse, greed);
      const givesWay = room ? undefined : makeRoom(holdingOf(holder));
      if (!room && givesWay === undefined) return "refused";
      const holding = holdingOf(holder);
      count(holding, 1);
      ranking.move(holding, 1);
      holding.yielding.add(item);
      items.set(item, holding);
      return givesWay === undefined ? "entered" : { givesWay };
    },
    settle(item, holder) {
      const from = items.get(item);
      if (!from) return false;
      const to = holder === undefined || holder === from.holder ? from : holdingOf(holder);
      if (to !== from && !hasRoom(to.places, max - inUse + 1, greed)) return false;
      yieldNoMore(item, from);
      count(from, -1);
      count(to, 1);
      items.set(item, to);
      return true;
    },
    take(holder) {
      if (!hasRoom(held(holder), max - inUse, greed)) return undefined;
      const holding = holdingOf(holder);
      count(holding, 1);
      return holding;
    },
    give(place) {
      count(place as Holding<T>, -1); // every place is a holding of these shares
    },
  };
}

interface Holding<T> extends Place {
  places: number;
  /** In the order in which they came. */
  readonly yielding: Set<T>;
}

/** Holdings by how much they would yield; that changes by one at a time, so the largest is always at hand. */
function createRanking<T>() {
  const bySize = new Map<number, Set<Holding<T>>>();
  let top = 0;
  return {
    largest: (): Holding<T> | undefined => bySize.get(top)?.values().next().value,
    /** Call it before the holding's yielding items become one more or one less. */
    move(holding: Holding<T>, change: 1 | -1): void {
      const from = holding.yielding.size;
      const to = from + change;
      bySize.get(from)?.delete(holding);
      if (bySize.get(from)?.size === 0) bySize.delete(from);
      if (to > 0) bySize.set(to, (bySize.get(to) ?? new Set()).add(holding));
      if (to > top || !bySize.has(top)) top = to;
    },
  };
}
