import type { Board } from "./board.ts";
import { createEpoll, readable, writable } from "./epoll.ts";
import type { Epoll } from "./epoll.ts";
import { header, modes } from "./jobs.ts";
import type { OpenJob } from "./jobs.ts";
import { close, recv, send } from "./libc.ts";
import { dialSocket } from "./sockets.ts";
import { noSignal } from "./transfer.ts";

export interface Opened {
  readonly timesMs: number[];
  readonly failed: number;
  readonly elapsedMs: number;
  /** Descriptors left open, when the job says `keep`. */
  readonly kept: number[];
}

interface Pending {
  readonly begin: number;
  asked: boolean;
}

/** After the last connection was begun, the others may finish for this long. */
const graceMs = 5_000;

/** Opens connections as the job says; a time runs from connect to the service's first byte. */
export function openConnections(job: OpenJob, firstSerial: number, board: Board): Opened {
  using epoll = createEpoll();
  const pending = new Map<number, Pending>();
  const opened: Opened & { failed: number } = { timesMs: [], failed: 0, elapsedMs: 0, kept: [] };
  const begin = performance.now();
  let begun = 0;
  const mayBegin = (): boolean => begun < job.count && performance.now() - begin < job.maxMs;
  while (
    !board.stopped() &&
    (pending.size > 0 || mayBegin()) &&
    performance.now() - begin < job.maxMs + graceMs
  ) {
    while (pending.size < job.concurrency && mayBegin()) {
      if (job.pauseMs > 0) board.rest(job.pauseMs);
      opened.failed += beginOne(job, firstSerial + begun++, epoll, pending);
    }
    epoll.wait(20, (fd) => stepOne(fd, job, epoll, pending, opened));
  }
  opened.failed += pending.size;
  for (const fd of pending.keys()) close(fd);
  return { ...opened, elapsedMs: performance.now() - begin };
}

/** Returns the number of failures: 0 or 1. */
function beginOne(job: OpenJob, serial: number, epoll: Epoll, pending: Map<number, Pending>): 0 | 1 {
  try {
    const begin = performance.now();
    const fd = dialSocket(
      job.addresses[serial % job.addresses.length] ?? job.addresses[0],
      serial,
      "nonblocking",
    );
    pending.set(fd, { begin, asked: false });
    epoll.add(fd, writable);
    return 0;
  } catch {
    return 1;
  }
}

const question = Buffer.concat([header(modes.echo, 0), Buffer.from("?")]);
const answer = Buffer.alloc(64);

function stepOne(
  fd: number,
  job: OpenJob,
  epoll: Epoll,
  pending: Map<number, Pending>,
  opened: Opened & { failed: number },
): void {
  const connection = pending.get(fd);
  if (connection === undefined) return;
  if (!connection.asked && send(fd, question, question.length, noSignal) > 0) {
    connection.asked = true;
    epoll.change(fd, readable);
    return;
  }
  const good = connection.asked && recv(fd, answer, answer.length, 0) > 0;
  pending.delete(fd);
  if (good) opened.timesMs.push(performance.now() - connection.begin);
  else opened.failed += 1;
  if (good && job.keep) {
    epoll.remove(fd);
    opened.kept.push(fd);
  } else close(fd);
}
