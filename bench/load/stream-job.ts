import type { Address } from "../model.ts";
import type { Board } from "./board.ts";
import { createEpoll, readable, writable } from "./epoll.ts";
import { header, modes } from "./jobs.ts";
import type { Direction } from "./jobs.ts";
import { close, send } from "./libc.ts";
import { dialSocket, resetOnClose } from "./sockets.ts";
import { discard, noSignal, streamChunk } from "./transfer.ts";

/** Runs one stream for each address until stopped; `down` counts bytes on the client's board, `up` on the service's. */
export function runStreams(direction: Direction, addresses: readonly Address[], board: Board): void {
  using epoll = createEpoll();
  const slotOf = new Map<number, number>();
  for (const [slot, address] of addresses.entries()) {
    const fd = dialSocket(address, slot, "nonblocking");
    slotOf.set(fd, slot);
    epoll.add(fd, writable);
  }
  const greeted = new Set<number>();
  while (!board.stopped())
    epoll.wait(20, (fd) => {
      const slot = slotOf.get(fd) ?? 0;
      if (!greeted.has(fd)) {
        greeted.add(fd);
        send(fd, header(direction === "up" ? modes.sink : modes.source, slot), 2, noSignal);
        if (direction === "down") epoll.change(fd, readable);
      } else if (direction === "up") send(fd, streamChunk, streamChunk.length, noSignal);
      else board.bytes[slot] = (board.bytes[slot] ?? 0) + Math.max(0, discard(fd));
    });
  for (const fd of slotOf.keys()) {
    resetOnClose(fd);
    close(fd);
  }
}

/** Sends to a service that never reads, and counts on slot 0 what the way took. */
export function runStall(address: Address, bytes: number, board: Board): void {
  using epoll = createEpoll();
  const fd = dialSocket(address, 0, "blocking");
  send(fd, header(modes.deaf, 0), 2, noSignal);
  epoll.add(fd, writable);
  let sent = 0;
  while (!board.stopped())
    if (sent >= bytes) board.rest(20);
    else
      epoll.wait(20, () => {
        sent += Math.max(0, send(fd, streamChunk, streamChunk.length, noSignal | dontWait));
        board.bytes[0] = sent;
      });
  resetOnClose(fd);
  close(fd);
}

/** MSG_DONTWAIT: a full buffer returns at once, on a socket that blocks otherwise. */
const dontWait = 0x40;
