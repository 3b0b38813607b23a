import { at } from "./at.ts";
import type { Libc } from "./libc.ts";
import { linux } from "./linux.ts";
import type { PipePool } from "./pipe-pool.ts";
import type { SharedTable } from "./shared-table.ts";

/** What one turn of a direction came to. */
export const flowed = {
  /** Inside a turn only: the next step can be tried. */
  goesOn: 0,
  /** Nothing more to do until epoll says so. */
  waits: 1,
  /** Its share of this turn is used up: more can be moved at once. */
  hasMore: 2,
  /** The last byte and the FIN were handed over. */
  ended: 3,
  /** The socket that is read, or the one that is written, is broken. */
  sourceBroken: 4,
  sinkBroken: 5,
} as const;
export type Flowed = (typeof flowed)[keyof typeof flowed];

/** Moves the bytes of all directions of one worker. A direction has the number of the leg that it reads. */
export interface Flow {
  /**
   * Moves what can be moved now, up to a share of `bytes`. Without `carryEnd` the end of the source is taken for a
   * break.
   */
  run(direction: number, bytes: number, carryEnd: boolean): Flowed;
  /** The leg may be read from; `atEnd` when its FIN or an error lies behind its last byte. */
  readable(leg: number, atEnd: boolean): void;
  writable(leg: number): void;
  /** Whether a turn may find something to do. */
  wantsTurn(direction: number): boolean;
  /** Bytes taken from the leg and not handed over yet. */
  queued(direction: number): number;
  ended(direction: number): boolean;
  /** The error number behind the last `sourceBroken` or `sinkBroken`; 0 when there was none. */
  lastError(): number;
  /** Starts a direction, with `bytes` in `pipe`, or with neither (-1 and 0). */
  open(direction: number, pipe: number, bytes: number): void;
  /** Forgets a direction and gives up what it holds. */
  drop(direction: number): void;
}

/** Sizes in bytes. */
export interface FlowTuning {
  /** Small reads go through one buffer of this size: two calls a message, and no pipe. */
  readonly copyBytes: number;
  /** Most that one splice takes from a socket. */
  readonly spliceBytes: number;
  /** A splice that brought less than this sends the direction back to copying. */
  readonly smallBytes: number;
}

interface FlowDeps {
  readonly libc: Libc;
  readonly table: SharedTable;
  readonly pool: PipePool;
  readonly tuning: FlowTuning;
}

/** The flow over the sockets of `table`. */
export function createFlow({ libc, table, pool, tuning }: FlowDeps): Flow {
  const { sockets, moved } = table;
  const { copyBytes, spliceBytes, smallBytes } = tuning;
  const legs = sockets.length;
  const canRead = new Uint8Array(legs);
  const canWrite = new Uint8Array(legs);
  const endSeen = new Uint8Array(legs);
  const finRead = new Uint8Array(legs);
  const finSent = new Uint8Array(legs);
  const bulk = new Uint8Array(legs);
  const queued = new Int32Array(legs);
  const pipeOf = new Int32Array(legs); // pipe number plus one: fresh memory means none, and stays untouched
  const leftovers = new Map<number, Uint8Array>(); // what a socket did not take of a small read; rare
  const buffer = new Uint8Array(Math.max(copyBytes, withoutPipeBytes));
  let share = 0;
  let lastError = 0;

  return {
    run,
    readable(leg, atEnd) {
      canRead[leg] = 1;
      if (atEnd) endSeen[leg] = 1;
    },
    writable(leg) {
      canWrite[leg] = 1;
    },
    wantsTurn: (direction) =>
      at(finSent, direction) === 0 && (at(queued, direction) > 0 || at(canRead, direction) === 1),
    queued: (direction) => at(queued, direction),
    ended: (direction) => at(finSent, direction) === 1,
    lastError: () => lastError,
    open,
    drop,
  };

  function run(direction: number, bytes: number, carryEnd: boolean): Flowed {
    const sink = direction ^ 1;
    share = bytes;
    lastError = 0;
    let verdict: Flowed = flowed.goesOn;
    while (verdict === flowed.goesOn) verdict = step(direction, sink, carryEnd);
    if (at(queued, direction) === 0) returnPipe(direction);
    return verdict;
  }

  function step(direction: number, sink: number, carryEnd: boolean): Flowed {
    if (at(queued, direction) > 0) {
      if (at(canWrite, sink) === 0) return flowed.waits;
      return at(pipeOf, direction) > 0 ? emptyPipe(direction, sink) : sendLeftover(direction, sink);
    }
    if (at(finRead, direction) === 1) return carryEnd ? end(direction, sink) : flowed.sourceBroken;
    if (at(canRead, direction) === 0 || at(canWrite, sink) === 0) return flowed.waits;
    if (share <= 0) return flowed.hasMore;
    return at(bulk, direction) === 1 ? fillPipe(direction, sink) : copy(direction, sink, copyBytes);
  }

  /** A short read has emptied the socket, so the call that would only say EAGAIN is saved: an edge tells of new bytes. */
  function copy(direction: number, sink: number, most: number): Flowed {
    returnPipe(direction); // what is queued lies either in a pipe or in a leftover, and this call may leave a leftover
    const got = libc.recv(at(sockets, direction), buffer, most);
    if (got < 0) return readFailed(direction);
    if (got === 0) return readEnd(direction);
    share -= got;
    bulk[direction] = got >= copyBytes ? 1 : 0;
    if (got < most && at(endSeen, direction) === 0) canRead[direction] = 0;
    return send(direction, sink, buffer, got);
  }

  /** A short splice may mean that the pipe's slots are full, so only EAGAIN says that the socket is empty. */
  function fillPipe(direction: number, sink: number): Flowed {
    if (at(pipeOf, direction) === 0) pipeOf[direction] = pool.borrow() + 1;
    const pipe = at(pipeOf, direction) - 1;
    if (pipe < 0) return copy(direction, sink, buffer.length);
    const got = libc.splice(at(sockets, direction), pool.writeEnd(pipe), Math.min(spliceBytes, share));
    if (got < 0) return readFailed(direction);
    if (got === 0) return readEnd(direction);
    share -= got;
    queued[direction] = got;
    if (got < smallBytes) bulk[direction] = 0;
    return flowed.goesOn;
  }

  function emptyPipe(direction: number, sink: number): Flowed {
    const pipe = at(pipeOf, direction) - 1;
    const put = libc.splice(pool.readEnd(pipe), at(sockets, sink), at(queued, direction));
    if (put < 0) return writeFailed(sink);
    if (put === 0) return flowed.sinkBroken; // cannot be while the pipe holds bytes; better an end than a spin
    queued[direction] = at(queued, direction) - put;
    moved[direction] = at(moved, direction) + put;
    return flowed.goesOn;
  }

  function sendLeftover(direction: number, sink: number): Flowed {
    const leftover = leftovers.get(direction) ?? new Uint8Array(0);
    leftovers.delete(direction);
    return send(direction, sink, leftover, leftover.length);
  }

  function send(direction: number, sink: number, from: Uint8Array, bytes: number): Flowed {
    const put = libc.send(at(sockets, sink), from, bytes);
    const verdict = put < 0 ? writeFailed(sink) : flowed.goesOn;
    const taken = Math.max(put, 0);
    moved[direction] = at(moved, direction) + taken;
    queued[direction] = bytes - taken;
    if (taken < bytes) leftovers.set(direction, from.slice(taken, bytes));
    return verdict;
  }

  function readEnd(direction: number): Flowed {
    finRead[direction] = 1;
    return flowed.goesOn;
  }

  function end(direction: number, sink: number): Flowed {
    finSent[direction] = 1;
    libc.endWriting(at(sockets, sink)); // fails only on a broken socket, of which epoll tells
    return flowed.ended;
  }

  function readFailed(direction: number): Flowed {
    const error = libc.errno();
    if (error === linux.EINTR) return flowed.goesOn;
    if (error === linux.EAGAIN) {
      canRead[direction] = 0;
      return flowed.waits;
    }
    lastError = error;
    return flowed.sourceBroken;
  }

  function writeFailed(sink: number): Flowed {
    const error = libc.errno();
    if (error === linux.EINTR) return flowed.goesOn;
    if (error === linux.EAGAIN) {
      canWrite[sink] = 0;
      return flowed.waits;
    }
    lastError = error;
    return flowed.sinkBroken;
  }

  function open(direction: number, pipe: number, bytes: number): void {
    canRead[direction] = 0;
    canWrite[direction] = 0;
    endSeen[direction] = 0;
    finRead[direction] = 0;
    finSent[direction] = 0;
    bulk[direction] = 0;
    queued[direction] = bytes;
    pipeOf[direction] = pipe + 1;
  }

  function drop(direction: number): void {
    leftovers.delete(direction);
    if (at(queued, direction) === 0) returnPipe(direction);
    else if (at(pipeOf, direction) > 0) pool.discard(at(pipeOf, direction) - 1);
    queued[direction] = 0;
    pipeOf[direction] = 0;
  }

  function returnPipe(direction: number): void {
    const pipe = at(pipeOf, direction) - 1;
    if (pipe < 0) return;
    pipeOf[direction] = 0;
    pool.giveBack(pipe);
  }
}

/** Read at once when bulk has to be copied because no pipe is to be had. */
const withoutPipeBytes = 64 * 1024;
