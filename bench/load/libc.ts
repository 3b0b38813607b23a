import { constants } from "node:os";
import koffi from "koffi";

/**
 * The few C library calls of the load generators. Blocking calls and epoll in a worker thread cost less than Node's
 * event loop, so what is measured is the relay. All follow their man pages: -1 is a failure, `errno` says why.
 */
const library = koffi.load(null);

/* koffi returns untyped functions: each cast repeats the C declaration next to it. */
type Fd = number;
export const socket = library.func("int socket(int, int, int)") as (
  domain: number,
  type: number,
  protocol: number,
) => Fd;
export const bind = library.func("int bind(int, const void*, uint32)") as (
  fd: Fd,
  address: Buffer,
  length: number,
) => number;
export const connect = library.func("int connect(int, const void*, uint32)") as (
  fd: Fd,
  address: Buffer,
  length: number,
) => number;
export const listen = library.func("int listen(int, int)") as (fd: Fd, backlog: number) => number;
export const accept4 = library.func("int accept4(int, void*, void*, int)") as (
  fd: Fd,
  address: null,
  length: null,
  flags: number,
) => Fd;
export const getsockname = library.func("int getsockname(int, void*, void*)") as (
  fd: Fd,
  address: Buffer,
  length: Buffer,
) => number;
export const setsockopt = library.func("int setsockopt(int, int, int, const void*, uint32)") as (
  fd: Fd,
  level: number,
  option: number,
  value: Buffer,
  length: number,
) => number;
export const send = library.func("int64 send(int, const void*, uint64, int)") as (
  fd: Fd,
  bytes: Buffer,
  length: number,
  flags: number,
) => number;
export const recv = library.func("int64 recv(int, void*, uint64, int)") as (
  fd: Fd,
  bytes: Buffer,
  length: number,
  flags: number,
) => number;
export const close = library.func("int close(int)") as (fd: Fd) => number;
export const epollCreate = library.func("int epoll_create1(int)") as (flags: number) => Fd;
export const epollControl = library.func("int epoll_ctl(int, int, int, void*)") as (
  epoll: Fd,
  operation: number,
  fd: Fd,
  event: Buffer,
) => number;
export const epollWait = library.func("int epoll_wait(int, void*, int, int)") as (
  epoll: Fd,
  events: Buffer,
  count: number,
  timeoutMs: number,
) => number;

/** True when the last call failed only because it would have had to wait. */
export function wouldWait(): boolean {
  const { errno } = constants;
  const code = koffi.errno();
  return code === errno.EAGAIN || code === errno.EINTR || code === errno.EINPROGRESS;
}

/** Throws with the errno when a call failed that cannot fail in a sane set-up. */
export function must(call: string, result: number): number {
  if (result < 0) throw new Error(`${call}: errno ${koffi.errno()}`);
  return result;
}

/** Of the calling thread, when `thread` is 0 (sched_setscheduler(2)). */
export const setScheduler = library.func("int sched_setscheduler(int, int, const void*)") as (
  thread: number,
  policy: number,
  parameters: Buffer,
) => number;

const schedSetaffinity = library.func("int sched_setaffinity(int, uint64, const void*)") as (
  thread: number,
  length: number,
  mask: Buffer,
) => number;

/** Lets a thread run on these cores alone (sched_setaffinity(2)); a thread that has ended is left out. */
export function setAffinity(thread: number, cores: readonly number[]): void {
  const mask = Buffer.alloc(128);
  for (const core of cores) mask.writeUInt8(mask.readUInt8(core >> 3) | (1 << (core & 7)), core >> 3);
  schedSetaffinity(thread, mask.length, mask);
}
