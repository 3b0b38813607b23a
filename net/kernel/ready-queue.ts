import { at } from "./at.ts";

/** Directions that wait for their next turn, first come first served, each at most once. */
export interface ReadyQueue {
  add(direction: number): void;
  has(direction: number): boolean;
  /** The next direction, or -1. */
  take(): number;
  size(): number;
}

/** A queue for the directions 0 to `directions` - 1; `directions` is a power of two. */
export function createReadyQueue(directions: number): ReadyQueue {
  const waiting = new Int32Array(directions);
  const member = new Uint8Array(directions);
  const mask = directions - 1;
  let head = 0;
  let size = 0;
  return {
    add(direction) {
      if (at(member, direction) === 1) return;
      member[direction] = 1;
      waiting[(head + size) & mask] = direction;
      size += 1;
    },
    has: (direction) => at(member, direction) === 1,
    take() {
      if (size === 0) return -1;
      const direction = at(waiting, head);
      head = (head + 1) & mask;
      size -= 1;
      member[direction] = 0;
      return direction;
    },
    size: () => size,
  };
}
