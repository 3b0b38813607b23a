import type { SessionSignal } from "../protocol/signals.ts";
import { createWarmPool } from "./warm-pool.ts";
import type { WarmPool, WarmPoolDeps } from "./warm-pool.ts";

interface PoolsDeps extends Omit<WarmPoolDeps, "onDown" | "onStop"> {
  readonly onDown: (relay: string, reason: string) => void;
  /** The relay is not one of this session's any more. */
  readonly onLeft: (relay: string) => void;
  readonly onStop: (relay: string, reason: "replaced" | "ended") => void;
}

/** The warm pools of one session, one a relay. */
export interface Pools extends Disposable {
  placed(signal: SessionSignal & { type: "placed" }): void;
  dial(relay: string, withinMs: number): void;
  /** Halves that the relays have accepted and that wait. */
  readonly waiting: number;
  /** Halves that dial or wait. */
  readonly open: number;
}

/** Keeps one warm pool for each relay that the control plane names. */
export function createPools(deps: PoolsDeps): Pools {
  const pools = new Map<string, WarmPool>();
  let session: string | undefined;
  let closed = false;

  function open(relay: string): WarmPool {
    const pool = createWarmPool({
      ...deps,
      onDown: (reason) => deps.onDown(relay, reason),
      onStop: (reason) => {
        // A later `placed` may name this relay again: then it gets a new pool.
        if (pools.get(relay) === pool) leave(relay, pool);
        deps.onStop(relay, reason);
      },
    });
    pools.set(relay, pool);
    return pool;
  }

  function leave(relay: string, pool: WarmPool): void {
    pools.delete(relay);
    pool[Symbol.dispose]();
    deps.onLeft(relay);
  }

  function sum(count: "waiting" | "open"): number {
    return [...pools.values()].reduce((total, pool) => total + pool[count], 0);
  }

  return {
    placed({ session: id, epoch, placements }) {
      if (closed) return;
      const wanted = new Set(placements.map((placement) => placement.relay));
      for (const [relay, pool] of pools) if (id !== session || !wanted.has(relay)) leave(relay, pool);
      session = id;
      for (const placement of placements) {
        const pool = pools.get(placement.relay) ?? open(placement.relay);
        pool.placed({ ...placement, epoch });
      }
    },
    dial: (relay, withinMs) => pools.get(relay)?.dial(withinMs),
    get waiting() {
      return sum("waiting");
    },
    get open() {
      return sum("open");
    },
    [Symbol.dispose]: () => {
      closed = true;
      for (const [relay, pool] of pools) leave(relay, pool);
    },
  };
}
