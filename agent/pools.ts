import type { TicketedPlacement } from "../protocol/placements.ts";
import type { SessionSignal } from "../protocol/signals.ts";
import type { PoolPlacement, ReportedCode } from "./pool.ts";
import { createWarmPool } from "./warm-pool.ts";
import type { WarmPool, WarmPoolDeps } from "./warm-pool.ts";

interface PoolsDeps extends Omit<WarmPoolDeps, "onUp" | "onDown" | "onStop" | "onReport" | "onUnreachable"> {
  /** Halves wait at the relay; `placements` are all that the session has now. */
  readonly onUp: (placement: PoolPlacement, placements: readonly TicketedPlacement[]) => void;
  readonly onDown: (relay: string, reason: string) => void;
  readonly onUnreachable: (relay: string) => void;
  readonly onReport: (code: ReportedCode, placement: PoolPlacement) => void;
  /** The relay is not one of this session's any more. */
  readonly onLeft: (relay: string) => void;
  readonly onStop: (relay: string, reason: "replaced" | "ended") => void;
  /** A relay that the session has left has this long to end the halves that wait there. */
  readonly leaveMs?: number;
}

/** The warm pools of one session, one a relay. */
export interface Pools extends Disposable {
  placed(signal: SessionSignal & { type: "placed" }): void;
  dial(relay: string, withinMs: number): void;
  /** The relay may be gone. */
  check(relay: string): void;
  /** Halves that the relays have accepted and that wait. */
  readonly waiting: number;
  /** Halves that dial or wait. */
  readonly open: number;
}

interface Entry {
  readonly pool: WarmPool;
  /** The session has other relays now; this one serves until one of `successors` does. */
  successors?: ReadonlySet<string>;
  timer?: NodeJS.Timeout;
}

const defaultLeaveMs = 10_000;

/** Keeps one warm pool for each relay that the control plane names, and an old one until the new one serves. */
export function createPools(deps: PoolsDeps): Pools {
  const pools = new Map<string, Entry>();
  let placements: readonly TicketedPlacement[] = [];
  let session: string | undefined;
  let closed = false;

  function open(relay: string): Entry {
    const isCurrent = (): boolean => pools.get(relay) === entry && entry.successors === undefined;
    const pool = createWarmPool({
      ...deps,
      onUp: (placement) => {
        if (!isCurrent()) return;
        deps.onUp(placement, placements);
        leaveOld(relay);
      },
      onDown: (reason) => isCurrent() && deps.onDown(relay, reason),
      onUnreachable: () => isCurrent() && deps.onUnreachable(relay),
      onReport: (code, placement) => isCurrent() && deps.onReport(code, placement),
      onStop: (reason) => {
        const current = isCurrent();
        // A later `placed` may name this relay again: then it gets a new pool.
        if (pools.get(relay) === entry) close(relay, entry);
        if (current) deps.onStop(relay, reason);
      },
    });
    const entry: Entry = { pool };
    pools.set(relay, entry);
    return entry;
  }

  /** The relay serves: those whose place it takes may go. */
  function leaveOld(successor: string): void {
    for (const [relay, entry] of pools)
      if (entry.successors?.has(successor) && entry.timer === undefined) leave(relay, entry);
  }

  /** The relay is told by the control plane to end what waits; a half that is just being paired is then not cut. */
  function leave(relay: string, entry: Entry): void {
    entry.pool.leave();
    deps.onLeft(relay);
    entry.timer = setTimeout(() => close(relay, entry), deps.leaveMs ?? defaultLeaveMs);
  }

  function close(relay: string, entry: Entry): void {
    if (pools.get(relay) === entry) pools.delete(relay);
    clearTimeout(entry.timer);
    entry.pool[Symbol.dispose]();
    deps.onLeft(relay);
  }

  function sum(count: "waiting" | "open"): number {
    return [...pools.values()].reduce((total, { pool }) => total + pool[count], 0);
  }

  return {
    placed({ session: id, epoch, placements: next }) {
      if (closed) return;
      const wanted = new Set(next.map(({ relay }) => relay));
      const newcomers = new Set([...wanted].filter((relay) => !pools.has(relay)));
      for (const [relay, entry] of pools) {
        // Another session, or the relay comes back that was about to be left: its pool begins anew.
        if (id !== session || (wanted.has(relay) && entry.successors)) close(relay, entry);
        else if (!wanted.has(relay) && !entry.successors) {
          entry.successors = newcomers;
          if (newcomers.size === 0) leave(relay, entry);
        }
      }
      session = id;
      placements = next;
      for (const placement of next) {
        const { pool } = pools.get(placement.relay) ?? open(placement.relay);
        pool.placed({ ...placement, epoch });
      }
    },
    dial: (relay, withinMs) => pools.get(relay)?.pool.dial(withinMs),
    check: (relay) => pools.get(relay)?.pool.check(),
    get waiting() {
      return sum("waiting");
    },
    get open() {
      return sum("open");
    },
    [Symbol.dispose]: () => {
      closed = true;
      for (const [relay, entry] of pools) close(relay, entry);
    },
  };
}
