/**
 * A queue of whole numbers between two threads, one that pushes and one that takes, in shared memory.
 * The caller makes it big enough for all that can ever wait in it, so it cannot run over.
 */
export interface Ring {
  push(value: number): void;
  /** The oldest value, or -1. */
  take(): number;
}

/** Shared memory for a ring that holds `capacity` values; `capacity` is a power of two. */
export function ringMemory(capacity: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer((headerWords + capacity) * Int32Array.BYTES_PER_ELEMENT));
}

/** One end of the ring in `memory`. */
export function openRing(memory: Int32Array): Ring {
  const mask = memory.length - headerWords - 1;
  return {
    push(value) {
      const tail = Atomics.load(memory, tailWord);
      memory[headerWords + (tail & mask)] = value;
      Atomics.store(memory, tailWord, (tail + 1) | 0); // publishes the value: the store is sequentially consistent
    },
    take() {
      const head = Atomics.load(memory, headWord);
      if (head === Atomics.load(memory, tailWord)) return -1;
      const value = memory[headerWords + (head & mask)] ?? -1;
      Atomics.store(memory, headWord, (head + 1) | 0);
      return value;
    },
  };
}

const headWord = 0;
const tailWord = 1;
const headerWords = 2;
