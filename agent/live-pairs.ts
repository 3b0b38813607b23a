import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../net/log.ts";
import type { Pump } from "../net/pump.ts";
import type { PairedHead } from "../protocol/handshake.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";
import type { Admission } from "./secure/admission.ts";
import { servePair } from "./serve-pair.ts";
import type { PairEnd, ServedPair } from "./serve-pair.ts";
import type { TargetDial } from "./target-dial.ts";

/** The way between a client and the agent. */
export type PairPath = "relay" | "direct";

export type PairEvent =
  | {
      readonly type: "paired";
      readonly session: string;
      readonly pair: string;
      readonly client: string;
      readonly path: PairPath;
    }
  | {
      readonly type: "closed";
      readonly session: string;
      readonly pair: string;
      readonly client: string;
      readonly path: PairPath;
      /** From the client to the service. */
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly outcome: PairOutcome;
    };

interface LivePairsDeps {
  readonly log: Log;
  /** What clients go through first; by default nothing. */
  readonly admission?: Admission;
  /** Opens a connection to the service. */
  readonly dial: TargetDial;
  readonly pump: Pump;
  readonly onEvent: (event: PairEvent) => void;
}

/** The clients that are being served now. */
export interface LivePairs {
  /** Serves a client that has come, and that was let in already if it came directly; resolves when that pair is over, and never rejects. */
  serve(session: string, head: PairedHead, socket: Socket, early: Buffer, path?: PairPath): Promise<void>;
  /** Lets the pairs go on for up to so many milliseconds (Infinity: until they end), cuts the rest; resolves when none lives. */
  finish(ms: number): Promise<void>;
  readonly size: number;
}

/** Keeps account of the pairs and tells how each began and ended. */
export function createLivePairs({ onEvent, admission, log, ...deps }: LivePairsDeps): LivePairs {
  const pairs = new Map<ServedPair, Promise<void>>();
  let cut = false;

  /** One client must not end the agent, which serves all the others. */
  function failed(error: unknown): PairEnd {
    log.error("a client was not served", { error: String(error) });
    return { outcome: "cut", bytesIn: 0, bytesOut: 0 };
  }

  return {
    // Not async: a suspended function would keep the client's socket object for as long as the pair lives.
    serve(session, head, socket, early, path = "relay") {
      const pair = copyOf(head.pair);
      const client = copyOf(head.client);
      onEvent({ type: "paired", session, pair, client, path });
      const served = servePair(socket, early, {
        ...deps,
        enter: path === "relay" ? admission?.(head) : undefined,
      });
      if (cut) served.cut();
      const over = served.end.catch(failed).then((end) => {
        onEvent({ type: "closed", session, pair, client, path, ...end });
        pairs.delete(served);
      });
      pairs.set(served, over);
      return over;
    },
    async finish(ms) {
      const enough = new AbortController();
      const all = Promise.all(pairs.values());
      if (ms === Infinity) await all;
      else if (pairs.size > 0 && ms > 0) {
        await Promise.race([all, delay(ms, undefined, { signal: enough.signal }).catch(() => {})]);
        enough.abort();
      }
      cut = true;
      for (const served of pairs.keys()) served.cut();
      await all;
    },
    get size() {
      return pairs.size;
    },
  };
}

/** V8 keeps the whole of a text for as long as a part that was cut from it: here a head of the relay for an address. */
function copyOf(part: string): string {
  return Buffer.from(part).toString();
}
