import { availableParallelism } from "node:os";
import { limits } from "../../protocol/limits.ts";
import { passOn } from "./early-bytes.ts";
import { prepareDeparture } from "./handover.ts";
import { type Libc, loadLibc } from "./libc.ts";
import { startWorker, type WorkerClient } from "./worker-client.ts";
import { unpaceLocal } from "./pacing.ts";
import { probeSplice } from "./probe.ts";
import type { PumpTuning } from "./worker-orders.ts";
import type { Log } from "../log.ts";
import type { Joined, JoinOptions, Leg } from "../pump.ts";

/** The part of the kernel pump that moves pairs of plain TCP legs in worker threads. */
export interface KernelPump extends AsyncDisposable {
  /** Takes the pair, or returns undefined and leaves both legs as they are when it cannot. */
  tryJoin(a: Leg, b: Leg, options?: JoinOptions): Joined | undefined;
  stats(): { readonly pairs: number; readonly threads: number; readonly crashes: number };
  /** Makes the worker that holds the most pairs throw, to test what then happens. */
  failBusiestWorker(): void;
}

interface KernelDeps {
  readonly threads?: number;
  readonly log: Log;
  readonly tuning?: Partial<PumpTuning>;
}

/** Starts the worker threads; rejects when the system calls cannot be bound or a thread cannot start. */
export async function createKernelPump({
  threads = defaultThreads(),
  log,
  tuning,
}: KernelDeps): Promise<KernelPump> {
  const libc = await loadLibc();
  probeSplice(libc);
  const chosen = { ...defaultTuning, mostPipes: pipesPerWorker(libc, threads), ...tuning };
  const workers: WorkerClient[] = [];
  let crashes = 0;
  let disposed = false;
  for (let index = 0; index < threads; index += 1) workers.push(start(index));
  const onProcessExit = (): void => workers.forEach((worker) => void worker.stop());
  process.once("exit", onProcessExit); // Node waits for its threads, and a thread in epoll_wait waits for a command
  try {
    await Promise.all(workers.map((worker) => worker.started));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { tryJoin, stats, failBusiestWorker: () => busiest()?.fail(), [Symbol.asyncDispose]: dispose };

  function start(index: number): WorkerClient {
    const onDeath = (reason: Error, pairsCut: number): void => {
      crashes += 1;
      log.error("pump: a worker thread died", { worker: index, pairsCut, reason: reason.message });
      setTimeout(() => restart(index), restartDelayMs(crashes)).unref();
    };
    const worker = startWorker({ libc, tuning: chosen, onDeath });
    worker.started.catch(() => {}); // after the first start a thread that does not come up is told by onDeath
    return worker;
  }

  function restart(index: number): void {
    if (!disposed) workers[index] = start(index);
  }

  function tryJoin(a: Leg, b: Leg, options: JoinOptions = {}): Joined | undefined {
    const worker = idlest();
    return worker && handOver(libc, worker, a, b, options);
  }

  function idlest(): WorkerClient | undefined {
    let best: WorkerClient | undefined;
    for (const worker of workers) {
      if (worker.alive && !worker.full && worker.load < (best?.load ?? Infinity)) best = worker;
    }
    return best;
  }

  function busiest(): WorkerClient | undefined {
    return workers.toSorted((a, b) => b.load - a.load)[0];
  }

  function stats() {
    const pairs = workers.reduce((sum, worker) => sum + worker.load, 0);
    return { pairs, threads: workers.length, crashes };
  }

  async function dispose(): Promise<void> {
    disposed = true;
    process.removeListener("exit", onProcessExit);
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

function handOver(
  libc: Libc,
  worker: WorkerClient,
  a: Leg,
  b: Leg,
  options: JoinOptions,
): Joined | undefined {
  const { stallMs = limits.stallMs, halfClosedMs = limits.halfClosedMs } = options;
  const fromA = prepareDeparture(a, libc);
  if (fromA === undefined) return undefined;
  const fromB = prepareDeparture(b, libc);
  if (fromB === undefined) {
    fromA.undo();
    return undefined;
  }
  if (worker.load < fewPairs) {
    unpaceLocal(libc, a.socket, fromA.fd);
    unpaceLocal(libc, b.socket, fromB.fd);
  }
  const [fromABytes, fromBBytes] = [fromA.complete(), fromB.complete()];
  const early = [
    passOn(libc, fromABytes, fromA.pipe, fromB.fd),
    passOn(libc, fromBBytes, fromB.pipe, fromA.fd),
  ] as const;
  const joined = worker.add({ sockets: [fromA.fd, fromB.fd], early, stallMs, halfClosedMs });
  if (early.some(({ lost }) => lost)) joined.cut();
  return joined;
}

/** Pipes are for bytes in flight, descriptors are for pairs: all workers together use a fortieth of the limit for pipes. */
function pipesPerWorker(libc: Libc, threads: number): number {
  return Math.max(4, Math.min(512, Math.floor(libc.descriptorLimit() / 80 / threads)));
}

function defaultThreads(): number {
  return Math.min(availableParallelism(), 4);
}

/** The first time at once; a thread that dies again and again must not keep the machine busy with that. */
function restartDelayMs(crashes: number): number {
  return crashes === 1 ? 0 : Math.min(30_000, 100 * 2 ** Math.min(crashes, 10));
}

/**
 * Of so few pairs in a thread each waits for its own timers. Among many, others fill the gaps, and pacing keeps their
 * queues short enough for the processor's caches: 100 streams that are not paced take three times the CPU time.
 */
const fewPairs = 4;

const defaultTuning = {
  copyBytes: 16 * 1024,
  spliceBytes: 1024 * 1024,
  smallBytes: 8 * 1024,
};
