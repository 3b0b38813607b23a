import type { Guesser, Guessers } from "./guess-limit.ts";

/**
 * Guessers in arrays of a fixed size, about 36 bytes for each that may be remembered: as objects they would cost four
 * times as much, and a flood of strangers would fill the heap. An open hash table with linear probing (Knuth, The Art of
 * Computer Programming, volume 3, section 6.4). Its hash has a random seed, so nobody knows whom he shares a place with.
 */
export function createGuessMemory(capacity: number): Guessers {
  const size = 2 ** Math.ceil(Math.log2(capacity * 2));
  /** Hashes of the sources; 0 is a free place. */
  const keys = new Float64Array(size);
  const fullAt = new Float64Array(size);
  const tries = new Uint16Array(size);
  let seed: number | undefined;
  let count = 0;

  function keyOf(source: string): number {
    // Workers give no random numbers before the first request.
    seed ??= crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    return hash(source, seed);
  }

  const home = (key: number): number => key % size;
  const after = (place: number): number => (place + 1) % size;

  /** Where the key is, or the free place where it belongs. */
  function find(key: number): number {
    let place = home(key);
    while (keys[place] !== 0 && keys[place] !== key) place = after(place);
    return place;
  }

  /** Closes the gap: what stands behind it may have been kept from its own place. */
  function clear(place: number): void {
    count -= 1;
    let gap = place;
    for (let next = after(gap); ; next = after(next)) {
      const key = keys[next] ?? 0;
      if (key === 0) break;
      if ((next - home(key) + size) % size < (next - gap + size) % size) continue;
      keys[gap] = key;
      fullAt[gap] = fullAt[next] ?? 0;
      tries[gap] = tries[next] ?? 0;
      gap = next;
    }
    keys[gap] = 0;
  }

  const read = (place: number): Guesser => ({ fullAt: fullAt[place] ?? 0, tries: tries[place] ?? 0 });

  return {
    get: (source) => {
      const place = find(keyOf(source));
      return keys[place] === 0 ? undefined : read(place);
    },
    set: (source, guesser) => {
      const key = keyOf(source);
      const place = find(key);
      if (keys[place] === 0) count += 1;
      keys[place] = key;
      fullAt[place] = guesser.fullAt;
      tries[place] = Math.min(guesser.tries, 65_535);
    },
    delete: (source) => {
      const place = find(keyOf(source));
      if (keys[place] !== 0) clear(place);
    },
    prune: (isOld) => {
      for (let place = 0; place < size; place += 1)
        while (keys[place] !== 0 && isOld(read(place))) clear(place);
      return count;
    },
  };
}

/** 53 bits, never 0: cyrb53 by bryc, in the public domain (https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js). */
function hash(text: string, seed: number): number {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2_654_435_761);
    b = Math.imul(b ^ code, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0) || 1;
}
