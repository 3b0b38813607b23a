import type { Socket } from "node:net";
import type { Log } from "../../net/log.ts";
import type { Joined, Leg, Pump, PumpOutcome } from "../../net/pump.ts";
import { hostPort } from "../../protocol/api.ts";
import type { BridgeAddress } from "./address.ts";

/** What a bridge tells; `a` and `b` are the peers' addresses, in the order of the command line. */
export type BridgeEvent =
  | { readonly type: "paired"; readonly pair: string; readonly a: string; readonly b: string }
  | {
      readonly type: "closed";
      readonly pair: string;
      readonly a: string;
      readonly b: string;
      readonly aToB: number;
      readonly bToA: number;
      readonly outcome: PumpOutcome;
    };

/** What every form of bridge is made from. */
export interface BridgeDeps {
  /** First and second address of the command line; those that are dialled are the only ones that ever are. */
  readonly a: BridgeAddress;
  readonly b: BridgeAddress;
  /** One pair, then done; a failure to dial is then an error at once. */
  readonly once: boolean;
  readonly pump: Pump;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onEvent: (event: BridgeEvent) => void;
}

/** The pairs of one bridge. */
export interface BridgePairs {
  join(a: Leg, b: Leg): Joined;
  readonly size: number;
  /** Resolves when a pair has ended; at once when none lives. */
  oneEnded(): Promise<void>;
  /** Cuts what lives and waits for it. */
  cut(): Promise<void>;
}

/** Joins pairs, tells of them, and keeps account of those that live. */
export function createBridgePairs(pump: Pump, onEvent: (event: BridgeEvent) => void): BridgePairs {
  const live = new Map<Joined, Promise<void>>();
  let count = 0;

  async function follow(joined: Joined, peers: { pair: string; a: string; b: string }): Promise<void> {
    onEvent({ type: "paired", ...peers });
    const report = await joined.done;
    live.delete(joined);
    onEvent({ type: "closed", ...peers, ...report });
  }

  return {
    join(a, b) {
      count += 1;
      const peers = { pair: String(count), a: peerOf(a.socket), b: peerOf(b.socket) };
      const joined = pump.join(a, b);
      live.set(joined, follow(joined, peers));
      return joined;
    },
    get size() {
      return live.size;
    },
    oneEnded: () => Promise.race(live.size === 0 ? [Promise.resolve()] : live.values()),
    async cut() {
      const all = [...live.values()];
      for (const joined of live.keys()) joined.cut();
      await Promise.all(all);
    },
  };
}

/** A peer that has gone already has no address any more. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined || remotePort === undefined
    ? "gone"
    : hostPort(remoteAddress, remotePort);
}
