import { close, epollControl, epollCreate, epollWait, must } from "./libc.ts";

export const readable = 0x1;
export const writable = 0x4;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/* `struct epoll_event` is packed on x86-64 only (epoll_ctl(2)). */
const eventSize = process.arch === "x64" ? 12 : 16;
const dataOffset = process.arch === "x64" ? 4 : 8;
const batch = 512;

/** A level-triggered epoll set. */
export interface Epoll extends Disposable {
  add(fd: number, interest: number): void;
  change(fd: number, interest: number): void;
  remove(fd: number): void;
  /** Waits at most `timeoutMs` and calls `each` for every ready descriptor. */
  wait(timeoutMs: number, each: (fd: number, ready: number) => void): void;
}

/** Makes an epoll set for the calling thread. */
export function createEpoll(): Epoll {
  const epoll = must("epoll_create1", epollCreate(0));
  const events = Buffer.alloc(eventSize * batch);
  const event = Buffer.alloc(eventSize);
  const control = (operation: number, fd: number, interest: number): void => {
    event.writeUInt32LE(interest, 0);
    event.writeInt32LE(fd, dataOffset);
    must("epoll_ctl", epollControl(epoll, operation, fd, event));
  };
  return {
    add: (fd, interest) => control(EPOLL_CTL_ADD, fd, interest),
    change: (fd, interest) => control(EPOLL_CTL_MOD, fd, interest),
    remove: (fd) => control(EPOLL_CTL_DEL, fd, 0),
    wait: (timeoutMs, each) => {
      const count = epollWait(epoll, events, batch, timeoutMs);
      for (let place = 0; place < count; place++)
        each(events.readInt32LE(place * eventSize + dataOffset), events.readUInt32LE(place * eventSize));
    },
    [Symbol.dispose]: () => void close(epoll),
  };
}
