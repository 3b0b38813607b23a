import { parentPort, workerData } from "node:worker_threads";
import { openBoard } from "./board.ts";
import type { Job, JobResult } from "./jobs.ts";
import { close } from "./libc.ts";
import { openConnections } from "./open-job.ts";
import { runPings } from "./ping-job.ts";
import { isBulk, setPreemption } from "./preemption.ts";
import { runStall, runStreams } from "./stream-job.ts";

/* The one caller is load.ts, which passes the board's memory. */
const board = openBoard(workerData as SharedArrayBuffer);
const kept: number[] = [];
const serial = { next: 0 };

/* load.ts sends jobs, and null when there will be no more. */
parentPort?.on("message", (job: Job | null) => {
  if (job === null) parentPort?.close();
  else parentPort?.postMessage(attempt(job), []);
});

function attempt(job: Job): JobResult {
  try {
    return run(job);
  } catch (error) {
    return { type: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

function run(job: Job): JobResult {
  setPreemption(isBulk(job));
  switch (job.type) {
    case "streams":
      runStreams(job.direction, job.addresses, board);
      return done();
    case "stall":
      runStall(job.address, job.bytes, board);
      return done();
    case "ping":
      return done(runPings(job.address, job.warmup, job.count));
    case "open": {
      const opened = openConnections(job, serial.next, board);
      serial.next += job.count;
      kept.push(...opened.kept);
      return { type: "done", timesMs: opened.timesMs, failed: opened.failed, elapsedMs: opened.elapsedMs };
    }
    case "release":
      for (const fd of kept.splice(0)) close(fd);
      return done();
    default:
      return job satisfies never;
  }
}

function done(timesMs: readonly number[] = []): JobResult {
  return { type: "done", timesMs, failed: 0, elapsedMs: 0 };
}
