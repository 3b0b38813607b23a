import type { PumpOutcome } from "../pump.ts";
import { ringMemory } from "./ring.ts";

/**
 * What the main thread and one worker share: a table with one slot a pair. A pair's legs are `2 * slot` and
 * `2 * slot + 1`; a direction has the number of the leg that it reads. Everything that holds a descriptor is in here,
 * so that the main thread can close what a dead worker left behind.
 */
export interface SharedTable {
  /** `controlWords` by name. */
  readonly control: Int32Array;
  /** A leg's socket, or -1. */
  readonly sockets: Int32Array;
  /** A direction's early bytes: read end and write end of the pipe that holds them (or -1), and how many they are. */
  readonly earlyReadEnds: Int32Array;
  readonly earlyWriteEnds: Int32Array;
  readonly earlyBytes: Int32Array;
  /** A pair's timers, in milliseconds. */
  readonly stallMs: Int32Array;
  readonly halfClosedMs: Int32Array;
  /** A pair's outcome as an index of `outcomes`. */
  readonly outcome: Int32Array;
  /** Bytes that a direction has handed over. One writer, aligned 64-bit words: a reader never sees half a number. */
  readonly moved: Float64Array;
  /** Read and write ends of the worker's pipes, or -1. */
  readonly pipeReadEnds: Int32Array;
  readonly pipeWriteEnds: Int32Array;
  /** Commands to the worker, see `command`; slots whose pair has ended, to the main thread. */
  readonly commands: Int32Array;
  readonly endings: Int32Array;
}

/** Words of `control`. */
export const controlWords = {
  /** 1 while the worker has been woken and has not looked at its commands yet. */
  woken: 0,
  /** 1 while the main thread has been told of endings and has not looked at them yet. */
  told: 1,
  /** The worker's epoll instance. */
  epoll: 2,
  /** Pipes that the worker has open. */
  pipes: 3,
} as const;

/** Outcomes by their number in the table. */
export const outcomes = [
  "closed",
  "reset_by_a",
  "reset_by_b",
  "stalled",
  "half_closed_timeout",
  "cut",
] as const satisfies readonly PumpOutcome[];

/** A command is a slot number times four, plus one of these. */
export const command = { add: 0, cut: 1, stop: 2, fail: 3 } as const;

/** Pairs that one worker can hold. The memory is touched, and so paid for, only as far as slots are used. */
export const slotsPerWorker = 65_536;

/** An empty table. */
export function createSharedTable(): SharedTable {
  const legs = 2 * slotsPerWorker;
  return {
    control: words(Object.keys(controlWords).length).fill(-1, controlWords.epoll, controlWords.epoll + 1),
    sockets: words(legs),
    earlyReadEnds: words(legs),
    earlyWriteEnds: words(legs),
    earlyBytes: words(legs),
    stallMs: words(slotsPerWorker),
    halfClosedMs: words(slotsPerWorker),
    outcome: words(slotsPerWorker),
    moved: new Float64Array(new SharedArrayBuffer(legs * Float64Array.BYTES_PER_ELEMENT)),
    pipeReadEnds: words(legs),
    pipeWriteEnds: words(legs),
    commands: ringMemory(4 * slotsPerWorker), // at most an add and a cut a slot, and one stop
    endings: ringMemory(slotsPerWorker * 2),
  };
}

function words(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}
