import { Worker } from "node:worker_threads";
import { at } from "./at.ts";
import type { EarlyBytes } from "./early-bytes.ts";
import type { Libc } from "./libc.ts";
import { openRing } from "./ring.ts";
import { command, controlWords, createSharedTable, outcomes, slotsPerWorker } from "./shared-table.ts";
import type { PumpTuning, WorkerOrders } from "./worker-orders.ts";
import type { Joined, PumpCounts, PumpReport } from "../pump.ts";

/** A pair whose descriptors have left Node. */
export interface PairOrder {
  readonly sockets: readonly [number, number];
  readonly early: readonly [EarlyBytes, EarlyBytes];
  readonly stallMs: number;
  readonly halfClosedMs: number;
}

/** The main thread's side of one worker thread. */
export interface WorkerClient {
  /** Pairs that live in it. */
  readonly load: number;
  readonly alive: boolean;
  readonly full: boolean;
  add(order: PairOrder): Joined;
  /** Resolves when the thread moves bytes; rejects when it could not start. */
  readonly started: Promise<void>;
  /** Resets all pairs and ends the thread. */
  stop(): Promise<void>;
  /** Makes the thread throw, to test what then happens. */
  fail(): void;
}

/** A pair until it ends; a slot is used again, this record is not. */
interface LivingPair {
  readonly resolve: (report: PumpReport) => void;
  /** What was moved, once the slot may be another pair's. */
  final?: PumpCounts;
  /** One command a pair, so that the ring cannot run over. */
  cutOrdered: boolean;
}

interface ClientDeps {
  readonly libc: Libc;
  readonly tuning: PumpTuning;
  /** The thread died without being told to; its pairs were cut and its descriptors closed. */
  readonly onDeath: (reason: Error, pairsCut: number) => void;
}

/** Starts a worker thread. */
export function startWorker({ libc, tuning, onDeath }: ClientDeps): WorkerClient {
  const table = createSharedTable();
  const { control } = table;
  const commands = openRing(table.commands);
  const endings = openRing(table.endings);
  const living = new Map<number, LivingPair>();
  const freeSlots: number[] = [];
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);
  const started = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<void>();
  const wakeFd = libc.eventfd();
  const orders: WorkerOrders = { table, wake: wakeFd, tuning };
  let slots = 0;
  let alive = true;
  let stopping = false;
  let failure = new Error("the worker thread ended by itself");

  const worker = new Worker(workerFile, {
    workerData: orders,
    name: "rdv-pump",
    resourceLimits,
    execArgv: [],
  });
  worker.once("message", () => {
    started.resolve();
    restIfIdle();
  });
  worker.on("message", settleEndings);
  worker.once("error", (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  worker.once("exit", onExit);

  return {
    get load() {
      return living.size;
    },
    get alive() {
      return alive && !stopping;
    },
    get full() {
      return freeSlots.length === 0 && slots === slotsPerWorker;
    },
    add,
    started: started.promise,
    stop() {
      if (!stopping && alive) {
        worker.ref();
        order(command.stop);
      }
      stopping = true;
      return exited.promise;
    },
    fail: () => order(command.fail),
  };

  function add({ sockets, early, stallMs, halfClosedMs }: PairOrder): Joined {
    const slot = freeSlots.pop() ?? slots++;
    const legs = [0, 1] as const;
    for (const side of legs) {
      const leg = 2 * slot + side;
      const { sent, left, pipe } = early[side];
      table.sockets[leg] = sockets[side];
      table.earlyReadEnds[leg] = pipe?.readEnd ?? -1;
      table.earlyWriteEnds[leg] = pipe?.writeEnd ?? -1;
      table.earlyBytes[leg] = left;
      table.moved[leg] = sent;
    }
    table.stallMs[slot] = Math.min(stallMs, longestMs);
    table.halfClosedMs[slot] = Math.min(halfClosedMs, longestMs);
    const { promise: done, resolve } = Promise.withResolvers<PumpReport>();
    if (living.size === 0) worker.ref();
    const pair: LivingPair = { resolve, cutOrdered: false };
    living.set(slot, pair);
    order(command.add, slot);
    return joined(slot, done, pair);
  }

  function joined(slot: number, done: Promise<PumpReport>, pair: LivingPair): Joined {
    return {
      done,
      counts: () => pair.final ?? counts(slot),
      cut() {
        if (pair.cutOrdered || living.get(slot) !== pair) return;
        pair.cutOrdered = true;
        order(command.cut, slot);
      },
    };
  }

  function counts(slot: number): PumpCounts {
    return { aToB: at(table.moved, 2 * slot), bToA: at(table.moved, 2 * slot + 1) };
  }

  function order(verb: number, slot = 0): void {
    if (!alive) return;
    commands.push((slot << 2) | verb);
    // The process may be exiting when the thread is stopped: what is put off then is never done.
    if (verb === command.stop) wake();
    // One wake for all pairs of this turn of the event loop: it costs as much as handing a pair over.
    else if (Atomics.exchange(control, controlWords.woken, 1) === 0) setImmediate(wake);
  }

  function wake(): void {
    if (alive) libc.write(wakeFd, one, one.length);
  }

  function settleEndings(): void {
    Atomics.store(control, controlWords.told, 0);
    for (let slot = endings.take(); slot >= 0; slot = endings.take()) {
      settle(slot, outcomes[at(table.outcome, slot)] ?? "cut");
      freeSlots.push(slot);
    }
  }

  function settle(slot: number, outcome: PumpReport["outcome"]): void {
    const pair = living.get(slot);
    living.delete(slot);
    restIfIdle();
    if (!pair) return;
    pair.final = counts(slot);
    pair.resolve({ outcome, ...pair.final });
  }

  /** An idle thread does not keep the process alive; one that starts or stops does, because somebody waits for it. */
  function restIfIdle(): void {
    if (living.size === 0 && !stopping) worker.unref();
  }

  function onExit(): void {
    alive = false;
    settleEndings();
    const cut = living.size;
    for (const slot of living.keys()) {
      closeLeftSlot(slot);
      settle(slot, "cut");
    }
    closeLeftPipes();
    libc.close(wakeFd);
    started.reject(failure);
    exited.resolve();
    if (!stopping) onDeath(failure, cut);
  }

  /** A dead thread's descriptors are still in the table; a pair that it was moving may have lost bytes, so RST. */
  function closeLeftSlot(slot: number): void {
    for (const leg of [2 * slot, 2 * slot + 1]) {
      const fd = at(table.sockets, leg);
      if (fd >= 0) libc.resetOnClose(fd);
      closeIfOpen(fd);
      if (at(table.earlyBytes, leg) === 0) continue;
      closeIfOpen(at(table.earlyReadEnds, leg));
      closeIfOpen(at(table.earlyWriteEnds, leg));
    }
  }

  function closeLeftPipes(): void {
    for (let pipe = 0; pipe < at(control, controlWords.pipes); pipe += 1) {
      closeIfOpen(at(table.pipeReadEnds, pipe));
      closeIfOpen(at(table.pipeWriteEnds, pipe));
    }
    closeIfOpen(at(control, controlWords.epoll));
  }

  function closeIfOpen(fd: number): void {
    if (fd >= 0) libc.close(fd);
  }
}

/** Beside this file, under the name that the compiler leaves it. */
const workerFile = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** The loop allocates next to nothing; small heaps keep a thread's memory small. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

const longestMs = 0x7fffffff;
