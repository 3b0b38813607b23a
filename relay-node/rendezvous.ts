import type { Socket } from "node:net";
import { createDisposalStack } from "../net/disposal-stack.ts";
import { createLinger } from "../net/linger.ts";
import { listenTcp } from "../net/listen.ts";
import type { TcpListener } from "../net/listen.ts";
import type { Log } from "../net/log.ts";
import type { Joined, Pump, PumpReport } from "../net/pump.ts";
import { hostPort } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import { plainAddress } from "../protocol/plain-address.ts";
import type { Place } from "../protocol/shares.ts";
import { sourceOf } from "../protocol/source-address.ts";
import { createConnectionBudget } from "./connection-budget.ts";
import { connectionBudget, descriptorLimit, openDescriptors } from "./descriptors.ts";
import { emptyRendezvous, stepRendezvous } from "./rendezvous-pairing.ts";
import type { RendezvousEffect, RendezvousEvent, RendezvousSide } from "./rendezvous-pairing.ts";
import { watchWaiting } from "./waiting-socket.ts";
import type { WaitingSocket } from "./waiting-socket.ts";

export interface RendezvousOptions {
  readonly a: Address;
  readonly b: Address;
  /** Serve one pair, then nothing more. */
  readonly once: boolean;
  readonly pump: Pump;
  readonly log: Log;
  /** Ends the rendezvous as its disposal does. */
  readonly signal: AbortSignal;
  readonly onEvent?: (happened: RendezvousHappened) => void;
  /** A half whose peer has finished waits this long for its other half; default `limits.halfClosedMs`. */
  readonly finishedMs?: number;
  /** Connections that wait at once on one side; default 256. */
  readonly maxWaiting?: number;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** What happens at a rendezvous; `a` and `b` are the peers as `ip:port`. */
export type RendezvousHappened =
  | { readonly type: "paired"; readonly pair: string; readonly a: string; readonly b: string }
  | ({ readonly type: "closed"; readonly pair: string; readonly a: string; readonly b: string } & PumpReport);

/** Two ports whose callers are joined. */
export interface Rendezvous extends AsyncDisposable {
  readonly a: Pick<TcpListener, "host" | "port" | "address">;
  readonly b: Pick<TcpListener, "host" | "port" | "address">;
  /** Resolves when the one pair of `once` has ended, or everything was disposed of. */
  readonly done: Promise<void>;
}

interface Waiting {
  readonly socket: Socket;
  readonly peer: string;
  readonly watch: WaitingSocket;
  timer?: NodeJS.Timeout;
}

const defaultMaxWaiting = 256;

/** Listens on two ports and joins who comes to one with who comes to the other. Throws `port_in_use`. */
export async function createRendezvous(options: RendezvousOptions): Promise<Rendezvous> {
  const { log, finishedMs = limits.halfClosedMs, onEvent = () => {} } = options;
  const rules = { once: options.once, maxWaiting: options.maxWaiting ?? defaultMaxWaiting };
  const budget = createConnectionBudget(connectionBudget(descriptorLimit(), openDescriptors()));
  const waiting = new Map<string, Waiting>();
  const living = new Map<Joined, Promise<void>>();
  const done = Promise.withResolvers<void>();
  let state = emptyRendezvous;
  let arrivals = 0;
  let pairs = 0;

  await using stack = createDisposalStack();
  stack.defer(done.resolve);
  const linger = stack.use(createLinger());
  stack.defer(cutAll);
  const a = stack.use(await listenTcp({ ...options.a, log, onConnection: (socket) => arrive("a", socket) }));
  const b = stack.use(await listenTcp({ ...options.b, log, onConnection: (socket) => arrive("b", socket) }));

  function arrive(side: RendezvousSide, socket: Socket): void {
    const { remoteAddress, remotePort = 0 } = socket;
    if (remoteAddress === undefined) return void socket.resetAndDestroy();
    if (!budget.admit(socket)) return;
    arrivals += 1;
    const id = String(arrivals);
    const watch = watchWaiting({
      socket,
      earlyBytes: limits.earlyBytes,
      onGone: () => dispatch({ type: "gone", side, id }),
      onFinished() {
        half.timer = setTimeout(() => dispatch({ type: "expired", side, id }), finishedMs);
        dispatch({ type: "finished", side, id });
      },
    });
    const half: Waiting = { socket, peer: hostPort(plainAddress(remoteAddress), remotePort), watch };
    waiting.set(id, half);
    dispatch({ type: "arrived", side, id, source: sourceOf(remoteAddress) });
  }

  function dispatch(event: RendezvousEvent): void {
    const result = stepRendezvous(state, event, rules);
    state = result.state;
    for (const effect of result.effects) carryOut(effect);
  }

  function carryOut(effect: RendezvousEffect): void {
    if (effect.type === "join") join(taken(effect.a), taken(effect.b));
    else close(effect.id, effect.reason);
  }

  function taken(id: string): Waiting {
    const half = waiting.get(id);
    if (!half) throw new Error(`connection ${id} does not wait`);
    waiting.delete(id);
    clearTimeout(half.timer);
    return half;
  }

  function close(id: string, reason: string): void {
    const { socket, peer, watch } = taken(id);
    watch.release();
    log.debug("rendezvous: not paired", { peer, reason });
    if (reason === "gone") socket.destroy();
    else linger.close(socket);
  }

  function join(one: Waiting, other: Waiting): void {
    pairs += 1;
    const who = { pair: String(pairs), a: one.peer, b: other.peer };
    const places = budget.handOver([one.socket, other.socket]);
    onEvent({ type: "paired", ...who });
    const joined = options.pump.join(one.watch.take(), other.watch.take());
    living.set(joined, follow(joined, who, places));
    if (options.once) void closeDoors();
  }

  async function follow(
    joined: Joined,
    who: { pair: string; a: string; b: string },
    places: readonly Place[],
  ): Promise<void> {
    const report = await joined.done;
    budget.release(places);
    living.delete(joined);
    onEvent({ type: "closed", ...who, ...report });
    if (options.once) done.resolve();
  }

  async function closeDoors(): Promise<void> {
    await a[Symbol.asyncDispose]();
    await b[Symbol.asyncDispose]();
  }

  async function cutAll(): Promise<void> {
    state = { a: [], b: [], served: true };
    for (const id of waiting.keys()) close(id, "stopped");
    const pairsLeft = [...living];
    for (const [joined] of pairsLeft) joined.cut();
    await Promise.all(pairsLeft.map(([, followed]) => followed));
  }

  const owned = stack.move();
  const dispose = async (): Promise<void> => {
    options.signal.removeEventListener("abort", onAbort);
    await owned[Symbol.asyncDispose]();
  };
  const onAbort = (): void => void dispose();
  options.signal.addEventListener("abort", onAbort, { once: true });
  if (options.signal.aborted) await dispose();
  return { a, b, done: done.promise, [Symbol.asyncDispose]: dispose };
}
