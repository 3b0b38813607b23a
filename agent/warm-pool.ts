import type { Socket } from "node:net";
import { createBackoff } from "../net/backoff.ts";
import type { PairedHead } from "../protocol/handshake.ts";
import { limits } from "../protocol/limits.ts";
import type { ProofKey } from "../protocol/proof.ts";
import { openHalf } from "./half.ts";
import type { Half } from "./half.ts";
import { createPool } from "./pool.ts";
import { createRelayRoute } from "./relay-route.ts";
import type { RouteOptions } from "./relay-route.ts";
import type { PoolEffect, PoolEvent, PoolOptions, PoolPlacement, ReportedCode } from "./pool.ts";

/** What the agent does with a pool's news; see the effects of the pool for their meaning. */
interface WarmPoolHooks {
  readonly onUp: (placement: PoolPlacement) => void;
  readonly onDown: (reason: string) => void;
  /** The relay cannot be reached: said with every failed attempt. */
  readonly onUnreachable?: () => void;
  readonly onRenew: () => void;
  readonly onReport: (code: ReportedCode, placement: PoolPlacement) => void;
  readonly onStop: (reason: "replaced" | "ended") => void;
  /** The socket is now the callee's. */
  readonly onPaired: (head: PairedHead, socket: Socket, early: Buffer) => void;
}

export interface WarmPoolDeps extends PoolOptions, WarmPoolHooks {
  /** In [0, 1). */
  readonly random?: () => number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly dialMs?: number;
  /** See `openHalf`. */
  readonly proofKey?: ProofKey | undefined;
  /** How this machine gets out to relays. */
  readonly outbound?: RouteOptions | undefined;
}

/** The waiting halves of one session at one relay, with their sockets and their timer. */
export interface WarmPool extends Disposable {
  placed(placement: PoolPlacement): void;
  /** The relay is said to be back. */
  dial(withinMs: number): void;
  /** The relay may be gone. */
  check(): void;
  /** Another relay serves now; dispose of this pool a little later. */
  leave(): void;
  /** Halves that dial or wait. */
  readonly open: number;
  /** Halves that the relay has accepted. */
  readonly waiting: number;
}

/** Runs the pool's state machine on real sockets. Disposing resets the halves that wait; pairs are not touched. */
export function createWarmPool(deps: WarmPoolDeps): WarmPool {
  const { random = Math.random, now = () => performance.now() } = deps;
  const pool = createPool(deps);
  const backoff = createBackoff({ random, now });
  const route = createRelayRoute(deps.outbound);
  const halves = new Map<number, Half>();
  let timer: NodeJS.Timeout | undefined;

  function step(event: PoolEvent): void {
    for (const effect of pool.step(event, now())) run(effect);
  }

  function setTimer(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(step, ms, { type: "retry" });
  }

  function open(id: number, placement: PoolPlacement): void {
    const half = openHalf({
      kind: "agent",
      relay: placement,
      route,
      proofKey: deps.proofKey,
      ...(deps.dialMs === undefined ? {} : { dialMs: deps.dialMs }),
      onAccepted: () => step({ type: "accepted", half: id }),
      onPaired: (head, socket, early) => {
        halves.delete(id);
        step({ type: "paired", half: id, demand: head.demand });
        deps.onPaired(head, socket, early);
      },
      onLost: (failure) => {
        halves.delete(id);
        step({ type: "lost", half: id, failure });
      },
    });
    halves.set(id, half);
  }

  function run(effect: PoolEffect): void {
    switch (effect.type) {
      case "dial":
        return open(effect.half, effect.placement);
      case "drop":
        halves.get(effect.half)?.close();
        return void halves.delete(effect.half);
      case "retryLater":
        if (effect.fresh) backoff.reset();
        return setTimer(backoff.next(effect.atLeastMs));
      case "retryWithin":
        return setTimer(random() * Math.min(effect.ms, limits.backoffCapMs));
      case "up":
        return deps.onUp(effect.placement);
      case "down":
        return deps.onDown(effect.reason);
      case "unreachable":
        return deps.onUnreachable?.();
      case "renew":
        return deps.onRenew();
      case "report":
        return deps.onReport(effect.code, effect.placement);
      case "stop":
        return deps.onStop(effect.reason);
    }
  }

  return {
    placed: (placement) => step({ type: "placed", placement }),
    dial: (withinMs) => step({ type: "dial", withinMs }),
    check: () => step({ type: "check" }),
    leave: () => {
      step({ type: "leave" });
      clearTimeout(timer);
    },
    get open() {
      return pool.open;
    },
    get waiting() {
      return pool.waiting;
    },
    [Symbol.dispose]: () => {
      step({ type: "close" });
      clearTimeout(timer);
    },
  };
}
