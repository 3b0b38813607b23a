/** A map of what comes and goes. */
export interface TransientMap<Key, Value> {
  readonly size: number;
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  /** Removes what is there, and returns it. */
  take(key: Key): Value | undefined;
}

/** Where a value is until it is taken. */
interface Place<Value> {
  value: Value | undefined;
}

/**
 * Makes a map that holds nothing of what was taken from it. When a `Map` of V8 moves to a new table, the old one keeps
 * its entries and points to the new one; once one of them has grown old, all later ones live until the next full
 * collection, with every value that was in them. Here that is an empty place.
 */
export function createTransientMap<Key, Value>(): TransientMap<Key, Value> {
  const places = new Map<Key, Place<Value>>();

  function take(key: Key): Value | undefined {
    const place = places.get(key);
    if (!place) return undefined;
    places.delete(key);
    const { value } = place;
    place.value = undefined;
    return value;
  }

  return {
    get size() {
      return places.size;
    },
    get: (key) => places.get(key)?.value,
    set: (key, value) => void places.set(key, { value }),
    take,
  };
}
