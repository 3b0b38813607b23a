import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Address } from "../model.ts";
import { openBoard } from "./board.ts";
import type { Board } from "./board.ts";
import type { Job, JobResult } from "./jobs.ts";
import { isBulk } from "./preemption.ts";

type Done = Extract<JobResult, { type: "done" }>;

/** A client worker: one job at a time. */
export interface Client {
  run(job: Job): Promise<Done>;
  /** Ends a job that runs until stopped. */
  stop(): void;
  /** Bytes counted by the job, a number for each slot. */
  readonly bytes: Float64Array;
}

/** The load generators: the service behind the peers, and two independent clients before them. */
export interface Load extends AsyncDisposable {
  readonly service: Address;
  readonly serviceBytes: Float64Array;
  /** Resolves when no connection of an earlier job is left at the service; stragglers are reset. */
  quiet(): Promise<void>;
  readonly client: Client;
  readonly second: Client;
}

/** Starts the workers. */
export async function startLoad(): Promise<Load> {
  await using stack = new AsyncDisposableStack();
  const board = openBoard();
  const worker = new Worker(new URL("service-worker.ts", import.meta.url), { workerData: board.shared });
  const over = ended(worker);
  stack.defer(async () => {
    board.setStopped(true);
    await over;
  });
  /* service-worker.ts posts exactly one message, its port. */
  const [port] = (await once(worker, "message")) as [number];
  const client = stack.use(startClient(board));
  const second = stack.use(startClient(board));
  const owned = stack.move();
  return {
    service: { host: "127.0.0.1", port },
    serviceBytes: board.bytes,
    quiet: async () => await waitUntilQuiet(board),
    client,
    second,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** A relay that keeps a connection to the service for longer than this after the client has gone is not waited for. */
const patienceMs = 400;

async function waitUntilQuiet(board: Board): Promise<void> {
  for (const end = performance.now() + patienceMs; board.live() > 0 && performance.now() < end;)
    await sleep(5);
  if (board.live() > 0) board.askDrop();
  for (const end = performance.now() + patienceMs; board.live() > 0 && performance.now() < end;)
    await sleep(5);
}

function startClient(service: Board): Client & AsyncDisposable {
  const board = openBoard();
  const worker = new Worker(new URL("client-worker.ts", import.meta.url), { workerData: board.shared });
  const over = ended(worker);
  return {
    bytes: board.bytes,
    stop: () => board.setStopped(true),
    run: async (job) => {
      board.setStopped(false);
      board.bytes.fill(0);
      service.setMayPreempt(isBulk(job));
      const answer = once(worker, "message");
      worker.postMessage(job, []);
      /* client-worker.ts answers each job with one JobResult. */
      const [result] = (await answer) as [JobResult];
      if (result.type === "failed") throw new Error(result.message);
      return result;
    },
    [Symbol.asyncDispose]: async () => {
      board.setStopped(true);
      worker.postMessage(null, []);
      await over;
    },
  };
}

/** Waited for, and not brought about: `terminate` kills the process when the thread is just binding a C function. */
async function ended(worker: Worker): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  worker.once("exit", () => resolve());
  await promise;
}
