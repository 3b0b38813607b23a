import { at } from "./at.ts";
import { createFlow } from "./flow.ts";
import type { Libc } from "./libc.ts";
import { epollEventLayout, linux } from "./linux.ts";
import { createPairs } from "./pairs.ts";
import { createPipePool } from "./pipe-pool.ts";
import { createReadyQueue } from "./ready-queue.ts";
import { openRing } from "./ring.ts";
import { command, controlWords } from "./shared-table.ts";
import { createSweep } from "./sweep.ts";
import { createUserTimeouts } from "./user-timeout.ts";
import type { WorkerOrders } from "./worker-orders.ts";

interface LoopDeps {
  readonly libc: Libc;
  readonly orders: WorkerOrders;
  /** Tells the main thread that endings wait for it; the message itself says nothing. */
  readonly tell: () => void;
  readonly now: () => number;
}

/** The life of one worker: waits for epoll, moves bytes, obeys commands, until it is told to stop. */
export function runLoop({ libc, orders, tell, now }: LoopDeps): void {
  const { table, wake, tuning } = orders;
  const { control } = table;
  const layout = epollEventLayout(process.arch);
  const epoll = libc.epollCreate();
  if (epoll < 0) throw new Error(`epoll_create1 failed with error ${libc.errno()}`);
  control[controlWords.epoll] = epoll;
  const events = new Int32Array(layout.words * eventsPerTurn);
  const commands = openRing(table.commands);
  const endings = openRing(table.endings);
  const pool = createPipePool({ libc, table, most: tuning.mostPipes });
  const flow = createFlow({ libc, table, pool, tuning });
  const ready = createReadyQueue(table.sockets.length);
  const timeouts = createUserTimeouts({ libc, table });
  const pairs = createPairs({ libc, table, flow, pool, ready, timeouts, epoll, onEnded });
  const sweep = createSweep({ table, flow, pairs, timeouts });
  let running = true;
  let tellAt = Infinity;

  watchWake();
  tell(); // ready
  while (turn()) continue;
  for (let slot = 0; slot < pairs.slots(); slot += 1) pairs.abort(slot, "cut");
  tellEndings(Infinity);
  pool.closeAll();
  libc.close(epoll);
  control[controlWords.epoll] = -1;

  /** One round of waiting and working; false when the worker was told to stop. */
  function turn(): boolean {
    const count = libc.epollWait(epoll, events, eventsPerTurn, ready.size() > 0 ? 0 : mayWaitMs(now()));
    if (count < 0 && libc.errno() !== linux.EINTR)
      throw new Error(`epoll_wait failed with error ${libc.errno()}`);
    let woken = false;
    for (let index = 0; index < count; index += 1) {
      const word = index * layout.words;
      const leg = at(events, word + layout.dataWord);
      if (leg === wakeMark) woken = true;
      else pairs.onEvents(leg, at(events, word));
    }
    for (let left = ready.size(); left > 0; left -= 1) pairs.turn(ready.take());
    if (woken) obeyAll(); // after the events, so that none of them can be about an earlier pair of the same slot
    const time = now();
    if (sweep.dueIn(time) === 0) {
      sweep.run(time);
      pool.trim();
    }
    tellEndings(time);
    return running;
  }

  function mayWaitMs(time: number): number {
    return Math.max(0, Math.min(sweep.dueIn(time), Math.ceil(tellAt - time)));
  }

  /** Edge-triggered too: every write to the eventfd is told of once and nobody has to read it. */
  function watchWake(): void {
    const event = new Int32Array(layout.words);
    event[0] = linux.EPOLLIN | linux.EPOLLET;
    event[layout.dataWord] = wakeMark;
    if (libc.epollAdd(epoll, wake, event) !== 0)
      throw new Error(`epoll_ctl failed with error ${libc.errno()}`);
  }

  function obeyAll(): void {
    Atomics.store(control, controlWords.woken, 0);
    for (let order = commands.take(); order >= 0; order = commands.take()) obey(order & 3, order >> 2);
  }

  function obey(verb: number, slot: number): void {
    if (verb === command.add) {
      sweep.start(slot, now());
      pairs.add(slot);
    } else if (verb === command.cut) pairs.abort(slot, "cut");
    else if (verb === command.stop) running = false;
    else throw new Error("the worker was told to fail");
  }

  function onEnded(slot: number): void {
    endings.push(slot);
    if (tellAt === Infinity) tellAt = now() + tellAfterMs;
  }

  function tellEndings(time: number): void {
    if (time < tellAt || tellAt === Infinity) return;
    tellAt = Infinity;
    if (Atomics.exchange(control, controlWords.told, 1) === 0) tell();
  }
}

/** Waking the main thread costs as much as ending a pair, so the endings of this long are told of together. */
const tellAfterMs = 2;

const eventsPerTurn = 256;
const wakeMark = -1;
