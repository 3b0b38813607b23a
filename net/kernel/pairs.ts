import { at } from "./at.ts";
import { type Flow, type Flowed, flowed } from "./flow.ts";
import type { Libc } from "./libc.ts";
import { epollEventLayout, linux } from "./linux.ts";
import type { PipePool } from "./pipe-pool.ts";
import type { ReadyQueue } from "./ready-queue.ts";
import { outcomes, type SharedTable } from "./shared-table.ts";
import type { UserTimeouts } from "./user-timeout.ts";
import type { PumpOutcome } from "../pump.ts";

/** The pairs of one worker, from the moment their descriptors arrive until both are closed. */
export interface Pairs {
  add(slot: number): void;
  /** Resets both legs and reports `outcome`; nothing happens when the pair has ended already. */
  abort(slot: number, outcome: PumpOutcome): void;
  /** Acts on what epoll says of a leg. */
  onEvents(leg: number, events: number): void;
  /** Gives a direction that had more to move its next turn. */
  turn(direction: number): void;
  alive(slot: number): boolean;
  /** One more than the highest slot that was ever used. */
  slots(): number;
}

interface PairsDeps {
  readonly libc: Libc;
  readonly table: SharedTable;
  readonly flow: Flow;
  readonly pool: PipePool;
  readonly ready: ReadyQueue;
  readonly timeouts: UserTimeouts;
  readonly epoll: number;
  /** Told of a slot after both its sockets are closed. */
  readonly onEnded: (slot: number) => void;
}

/** No pairs yet. */
export function createPairs({ libc, table, flow, pool, ready, timeouts, epoll, onEnded }: PairsDeps): Pairs {
  const { sockets } = table;
  const living = new Uint8Array(sockets.length / 2);
  const layout = epollEventLayout(process.arch);
  const event = new Int32Array(layout.words);
  const muted = new Uint8Array(sockets.length);
  let slots = 0;
  return { add, abort, onEvents, turn, alive, slots: () => slots };

  function alive(slot: number): boolean {
    return at(living, slot) === 1;
  }

  function add(slot: number): void {
    slots = Math.max(slots, slot + 1);
    living[slot] = 1;
    timeouts.begin(slot);
    openDirection(2 * slot);
    openDirection(2 * slot + 1);
    if (!watch(2 * slot) || !watch(2 * slot + 1)) abort(slot, "cut");
  }

  function openDirection(direction: number): void {
    const bytes = at(table.earlyBytes, direction);
    const pipe =
      bytes > 0 ? pool.adopt(at(table.earlyReadEnds, direction), at(table.earlyWriteEnds, direction)) : -1;
    table.earlyBytes[direction] = 0; // from here on the pool answers for these descriptors
    flow.open(direction, pipe, bytes);
  }

  /** The edge-triggered watch lasts as long as the socket; it begins with an event that tells the present state. */
  function watch(leg: number): boolean {
    const fd = at(sockets, leg);
    libc.setTcpOption(fd, linux.TCP_NODELAY, 1);
    muted[leg] = 0;
    event[0] = allEvents;
    event[layout.dataWord] = leg;
    return libc.epollAdd(epoll, fd, event) === 0;
  }

  /** While a direction waits for its sink, every segment that its source gets would wake this thread for nothing. */
  function mute(leg: number, silent: 0 | 1): void {
    if (at(muted, leg) === silent) return;
    muted[leg] = silent;
    event[0] = silent === 1 ? allEvents & ~linux.EPOLLIN : allEvents;
    event[layout.dataWord] = leg;
    libc.epollChange(epoll, at(sockets, leg), event); // tells at once what is there, so no edge is lost
  }

  function onEvents(leg: number, events: number): void {
    if (!alive(leg >> 1)) return;
    const atEnd = (events & endEvents) !== 0;
    if (atEnd || (events & linux.EPOLLIN) !== 0) flow.readable(leg, atEnd);
    if ((events & linux.EPOLLOUT) !== 0) flow.writable(leg);
    if (isGone(leg, events)) return breakLeg(leg, libc.socketError(at(sockets, leg)));
    turnUnlessQueued(leg);
    turnUnlessQueued(leg ^ 1);
    if ((events & linux.EPOLLERR) !== 0) onErrorEvent(leg);
  }

  /**
   * Hung up in both ways before it was sent a FIN: a broken connection, also when its error was told already to whoever
   * wrote to it before, and nothing but an end can be read from it any more.
   */
  function isGone(leg: number, events: number): boolean {
    return (events & linux.EPOLLHUP) !== 0 && !flow.ended(leg ^ 1);
  }

  /** Few pairs move much at a time, which costs least; many move less, so that none waits long for its turn. */
  function fairShare(): number {
    return Math.max(leastShare, Math.floor(mostShare / (ready.size() + 1)));
  }

  function turnUnlessQueued(direction: number): void {
    if (alive(direction >> 1) && flow.wantsTurn(direction) && !ready.has(direction)) turn(direction);
  }

  function turn(direction: number): void {
    const slot = direction >> 1;
    if (!alive(slot)) return;
    const verdict = flow.run(direction, fairShare(), true);
    if (verdict <= flowed.hasMore)
      mute(direction, verdict === flowed.waits && flow.queued(direction) > 0 ? 1 : 0);
    switch (verdict) {
      case flowed.goesOn:
      case flowed.waits:
        return;
      case flowed.hasMore:
        return ready.add(direction);
      case flowed.ended:
        if (flow.ended(direction ^ 1)) close(slot, "closed", false);
        return;
      case flowed.sourceBroken:
        return breakLeg(direction, flow.lastError());
      case flowed.sinkBroken:
        return breakLeg(direction ^ 1, flow.lastError());
    }
  }

  /** Reading and writing may both be at rest when a reset comes, so the socket itself is asked. */
  function onErrorEvent(leg: number): void {
    if (!alive(leg >> 1)) return;
    const error = libc.socketError(at(sockets, leg));
    if (error !== 0) breakLeg(leg, error);
  }

  /**
   * What a broken leg had sent before still goes over as far as the other leg takes it at once: a peer without a
   * relay between would have seen it too. Its end does not: a cut stream must not look finished.
   */
  function breakLeg(leg: number, error: number): void {
    const timedOut = error === linux.ETIMEDOUT && flow.queued(leg ^ 1) > 0;
    let verdict: Flowed = flowed.hasMore;
    if (flow.ended(leg)) verdict = flowed.ended;
    for (let turns = 0; verdict === flowed.hasMore && turns < lastTurns; turns += 1)
      verdict = flow.run(leg, fairShare(), false);
    abort(leg >> 1, timedOut ? "stalled" : (leg & 1) === 0 ? "reset_by_a" : "reset_by_b");
  }

  function abort(slot: number, outcome: PumpOutcome): void {
    if (alive(slot)) close(slot, outcome, true);
  }

  function close(slot: number, outcome: PumpOutcome, reset: boolean): void {
    living[slot] = 0;
    closeLeg(2 * slot, reset);
    closeLeg(2 * slot + 1, reset);
    table.outcome[slot] = outcomes.indexOf(outcome);
    onEnded(slot);
  }

  function closeLeg(leg: number, reset: boolean): void {
    const fd = at(sockets, leg);
    sockets[leg] = -1; // first, so that nobody who cleans up after this thread closes a stranger's descriptor
    flow.drop(leg);
    if (reset) libc.resetOnClose(fd);
    libc.close(fd);
  }
}

const allEvents = linux.EPOLLIN | linux.EPOLLOUT | linux.EPOLLRDHUP | linux.EPOLLET;
const endEvents = linux.EPOLLRDHUP | linux.EPOLLHUP | linux.EPOLLERR;

/** Bytes that a direction moves in one turn. */
const mostShare = 1024 * 1024;
const leastShare = 128 * 1024;

/** Shares of a turn that a broken leg's last bytes may take. */
const lastTurns = 64;
