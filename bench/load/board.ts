import { slots } from "./jobs.ts";

/**
 * Memory that a blocked worker and the main thread share: a stop flag, a gauge of connections, and bytes a slot.
 * Each counter has one writer, and an aligned 8-byte store is whole on the machines that Node runs on.
 */
export interface Board {
  readonly shared: SharedArrayBuffer;
  stopped(): boolean;
  setStopped(stop: boolean): void;
  /** Sleeps in the calling worker; returns early when stopped. */
  rest(ms: number): void;
  live(): number;
  addLive(change: number): void;
  /** Asks the service to reset what is still connected. */
  askDrop(): void;
  /** True once for each `askDrop`. */
  takeDrop(): boolean;
  /** Whether the service's wake-ups may interrupt others. */
  mayPreempt(): boolean;
  setMayPreempt(may: boolean): void;
  readonly bytes: Float64Array;
}

const gaugeBytes = 16;

/** Makes a board, or looks at one that another thread made. */
export function openBoard(shared = new SharedArrayBuffer(gaugeBytes + slots * 8)): Board {
  const gauges = new Int32Array(shared, 0, 4);
  return {
    shared,
    stopped: () => Atomics.load(gauges, 0) === 1,
    setStopped: (stop) => {
      Atomics.store(gauges, 0, stop ? 1 : 0);
      Atomics.notify(gauges, 0);
    },
    rest: (ms) => void Atomics.wait(gauges, 0, 0, ms),
    live: () => Atomics.load(gauges, 1),
    addLive: (change) => void Atomics.add(gauges, 1, change),
    askDrop: () => void Atomics.store(gauges, 2, 1),
    takeDrop: () => Atomics.exchange(gauges, 2, 0) === 1,
    mayPreempt: () => Atomics.load(gauges, 3) === 0,
    setMayPreempt: (may) => void Atomics.store(gauges, 3, may ? 0 : 1),
    bytes: new Float64Array(shared, gaugeBytes, slots),
  };
}
