import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Pump } from "../net/pump.ts";
import type { PairedHead } from "../protocol/handshake.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import { servePair } from "./serve-pair.ts";
import type { TargetDial } from "./target-dial.ts";

export type PairEvent =
  | { readonly type: "paired"; readonly session: string; readonly pair: string; readonly client: string }
  | {
      readonly type: "closed";
      readonly session: string;
      readonly pair: string;
      readonly client: string;
      /** From the client to the service. */
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly outcome: PairOutcome;
    };

interface LivePairsDeps {
  /** Opens a connection to the service. */
  readonly dial: TargetDial;
  readonly pump: Pump;
  readonly onEvent: (event: PairEvent) => void;
}

/** The clients that are being served now. */
export interface LivePairs {
  /** Serves a client that has come; resolves when that pair is over. */
  serve(session: string, head: PairedHead, socket: Socket, early: Buffer): Promise<void>;
  /** Lets the pairs go on for up to so many milliseconds (Infinity: until they end), cuts the rest; resolves when none lives. */
  finish(ms: number): Promise<void>;
  readonly size: number;
}

/** Keeps account of the pairs and tells how each began and ended. */
export function createLivePairs({ onEvent, ...deps }: LivePairsDeps): LivePairs {
  const cut = new AbortController();
  const pairs = new Set<Promise<void>>();

  async function run(
    session: string,
    { pair, client }: PairedHead,
    socket: Socket,
    early: Buffer,
  ): Promise<void> {
    onEvent({ type: "paired", session, pair, client });
    const { outcome, bytesIn, bytesOut } = await servePair(socket, early, { ...deps, signal: cut.signal });
    onEvent({ type: "closed", session, pair, client, bytesIn, bytesOut, outcome });
  }

  return {
    async serve(session, head, socket, early) {
      const pair = run(session, head, socket, early);
      pairs.add(pair);
      await pair;
      pairs.delete(pair);
    },
    async finish(ms) {
      const enough = new AbortController();
      const all = Promise.all(pairs);
      if (ms === Infinity) await all;
      else if (pairs.size > 0 && ms > 0) {
        await Promise.race([all, delay(ms, undefined, { signal: enough.signal }).catch(() => {})]);
        enough.abort();
      }
      cut.abort();
      await all;
    },
    get size() {
      return pairs.size;
    },
  };
}
