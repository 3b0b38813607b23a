import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createBackoff } from "../../net/backoff.ts";
import { dialTcp } from "../../net/dial.ts";
import type { Log } from "../../net/log.ts";
import type { Joined, Leg } from "../../net/pump.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { readEarly } from "../early.ts";
import { createTargetWatch } from "../target-watch.ts";
import type { TargetWatch } from "../target-watch.ts";
import type { BridgeAddress } from "./address.ts";
import { createBridgePairs } from "./bridge-pairs.ts";
import type { BridgeDeps } from "./bridge-pairs.ts";

interface LinkDeps extends BridgeDeps {
  /** In [0, 1). */
  readonly random?: () => number;
}

/** A bridge between two addresses that are dialled. */
export interface Link extends AsyncDisposable {
  /** Resolves when `once` is served or the link was disposed of; rejects when `once` cannot be served. */
  readonly done: Promise<void>;
}

/** How often an idle pair is looked at, in milliseconds: a young one more often, so that a burst is served quickly. */
const look = { youngMs: 2_000, youngEveryMs: 20, everyMs: 100 };

/**
 * Dials both addresses and joins them, pair after pair: one idle pair is kept ready, and as soon as it is used, or
 * has ended, the next one is dialled. At most `limits.pairsPerSession` pairs live at once.
 */
export function createLink(deps: LinkDeps): Link {
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  const pairs = createBridgePairs(deps.pump, deps.onEvent);
  const backoff = createBackoff(deps.random === undefined ? {} : { random: deps.random });
  const sides = [createSide(deps.a, deps.log), createSide(deps.b, deps.log)] as const;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const joined = await dialPair();
      if (joined !== undefined && deps.once) return void (await joined.done);
      const served = joined !== undefined && (await untilUsed(joined));
      if (served) backoff.reset();
      else await pause(backoff.next());
      while (pairs.size >= limits.pairsPerSession && !signal.aborted) await pairs.oneEnded();
    }
  }

  async function runToTheEnd(): Promise<void> {
    try {
      await run();
    } finally {
      await pairs.cut();
    }
  }

  /** A joined pair; undefined when one side could not be reached. */
  async function dialPair(): Promise<Joined | undefined> {
    const legs = await dialBoth(sides, signal).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      if (deps.once || !(error instanceof RdvError)) throw error;
      return undefined;
    });
    if (legs === undefined) return undefined;
    const joined = pairs.join(...legs);
    if (signal.aborted) joined.cut();
    return joined;
  }

  /** True when the pair is used (both sides have spoken), or ended after a decent time: then the next one may be dialled at once. */
  async function untilUsed(joined: Joined): Promise<boolean> {
    const since = performance.now();
    const ended = new AbortController();
    void joined.done.then(() => ended.abort());
    for (;;) {
      const { aToB, bToA } = joined.counts();
      const age = performance.now() - since;
      if (aToB > 0 && bToA > 0) return true;
      if (ended.signal.aborted) return age >= limits.backoffYoungCapMs;
      await pauseUntil(age < look.youngMs ? look.youngEveryMs : look.everyMs, ended.signal);
    }
  }

  const pause = (ms: number): Promise<void> => pauseUntil(ms, signal);

  const onAbort = (): void => void pairs.cut();
  signal.addEventListener("abort", onAbort, { once: true });
  const done = runToTheEnd();
  done.catch(() => {});
  return {
    done,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done.catch(() => {});
    },
  };
}

interface Side {
  readonly address: BridgeAddress;
  readonly watch: TargetWatch;
  /** The last dial failed. */
  down: boolean;
}

function createSide(address: BridgeAddress, log: Log): Side {
  const watch = createTargetWatch(
    address.label,
    "trying again until it does; check that something listens there",
    log,
  );
  return { address, watch, down: false };
}

/** Dials one side after the other, first the one that was down, so that an outage of one does not pester the other. */
async function dialBoth([a, b]: readonly [Side, Side], signal: AbortSignal): Promise<[Leg, Leg]> {
  const [first, second] = b.down ? [b, a] : [a, b];
  const one = await dialSide(first, signal);
  const early = readEarly(one, Buffer.alloc(0));
  const two = await dialSide(second, signal).catch((error: unknown) => {
    one.destroy();
    throw error;
  });
  const legs: [Leg, Leg] = [
    { socket: one, ...early.take() },
    { socket: two, early: Buffer.alloc(0), ended: false },
  ];
  return first === a ? legs : [legs[1], legs[0]];
}

async function dialSide(side: Side, signal: AbortSignal): Promise<Socket> {
  try {
    const socket = await dialTcp({ host: side.address.host, port: side.address.port, signal });
    side.down = false;
    side.watch.answered();
    return socket;
  } catch (error) {
    side.down = true;
    if (error instanceof RdvError) side.watch.refused(error);
    throw error;
  }
}

async function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
