import { isIPv6 } from "node:net";
import type { Socket } from "node:net";
import type { Candidate, DirectOutcome } from "../../protocol/connect.ts";
import { dialTcp } from "../dial.ts";
import { createPunchPlan } from "./punch-plan.ts";
import type { PunchEffect, PunchEvent } from "./punch-plan.ts";

/** What a connection is made of by its proof. */
export interface Closable {
  destroy(): unknown;
}

export interface PunchOptions<Proven extends Closable> {
  /** Addresses of the other side. */
  readonly targets: readonly Candidate[];
  /** The port from which the other side expects the dials. */
  readonly localPort: number;
  /** This side takes the first connection that is proven, and closes the others; see `createPunchPlan`. */
  readonly chooses: boolean;
  /**
   * Finds out who is at the other end; rejects when it is not the one that is expected, or when `signal` aborts.
   * Owns the socket from then on.
   */
  readonly prove: (socket: Socket, signal: AbortSignal) => Promise<Proven>;
  /** The other side is met; the connection is the callee's. */
  readonly onMet: (proven: Proven) => void;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly random: () => number;
}

/** An attempt to meet that is under way. */
export interface Punch {
  /** Resolves when nothing of the attempt is left but the connections that were given to `onMet`. */
  readonly done: Promise<DirectOutcome>;
  /** Takes a connection that the listener of this side has accepted. */
  accept(socket: Socket): void;
}

/** Dials the other side's addresses until both have met or time is up. Holds sockets and timers until `done`. */
export function punch<Proven extends Closable>(options: PunchOptions<Proven>): Punch {
  const { targets, localPort, signal, random, chooses } = options;
  const plan = createPunchPlan({ targets: targets.length, chooses, random });
  const dials = new AbortController();
  const proofs = new Map<number, AbortController>();
  const connected = new Map<number, Socket>();
  const proven = new Map<number, Proven>();
  const timers = new Set<NodeJS.Timeout>();
  const done = Promise.withResolvers<DirectOutcome>();
  let lastId = 0;

  const step = (event: PunchEvent): void => plan.step(event).forEach(run);
  const expire = (): void => step({ type: "expired" });
  const expiry = setTimeout(expire, options.timeoutMs);
  signal.addEventListener("abort", expire, { once: true });

  function run(effect: PunchEffect): void {
    switch (effect.type) {
      case "dial":
        return void dial(effect.target);
      case "retryLater":
        return retryLater(effect.target, effect.ms);
      case "prove":
        return void prove(effect.id);
      case "close":
        return close(effect.id);
      case "met":
        return meet(effect.id);
      case "stopDialling":
        return stopDialling();
      case "over":
        return over(effect.outcome);
    }
  }

  async function dial(target: number): Promise<void> {
    const startedAt = performance.now();
    const { address, port } = targets[target] as Candidate; // the plan names those that it was told of
    const local = { address: isIPv6(address) ? "::" : "0.0.0.0", port: localPort };
    try {
      const socket = await dialTcp({ host: address, port, local, signal: dials.signal });
      arrive(socket, target);
    } catch {
      step({ type: "failed", target, afterMs: performance.now() - startedAt });
    }
  }

  function arrive(socket: Socket, target: number | undefined): void {
    lastId += 1;
    connected.set(lastId, socket);
    step({ type: "connected", id: lastId, target });
  }

  async function prove(id: number): Promise<void> {
    const socket = connected.get(id);
    if (socket === undefined) return;
    const stop = new AbortController();
    proofs.set(id, stop);
    try {
      proven.set(id, await options.prove(socket, stop.signal));
      step({ type: "proven", id });
    } catch {
      step({ type: "unproven", id });
    }
    proofs.delete(id);
    // Nobody wants it any more: it was given up while it was being proven.
    proven.get(id)?.destroy();
    proven.delete(id);
  }

  function meet(id: number): void {
    const met = proven.get(id);
    proven.delete(id);
    connected.delete(id);
    if (met !== undefined) options.onMet(met);
  }

  function close(id: number): void {
    proofs.get(id)?.abort();
    connected.get(id)?.destroy();
    connected.delete(id);
  }

  function retryLater(target: number, ms: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      step({ type: "retry", target });
    }, ms);
    timers.add(timer);
  }

  function stopDialling(): void {
    dials.abort();
    for (const timer of timers) clearTimeout(timer);
  }

  function over(outcome: DirectOutcome): void {
    clearTimeout(expiry);
    signal.removeEventListener("abort", expire);
    done.resolve(outcome);
  }

  if (signal.aborted) expire();
  else step({ type: "start" });
  return { done: done.promise, accept: (socket) => arrive(socket, undefined) };
}
