import type { Socket } from "node:net";
import { limits } from "../protocol/limits.ts";
import { startDirection } from "./pump-direction.ts";
import { resetSocket } from "./pump-reset.ts";
import { createPairWatch, watchEveryMs } from "./pump-watch.ts";
import type { Turns } from "./pump-turns.ts";
import type { Joined, JoinOptions, Leg, PumpCounts, PumpOutcome, PumpReport } from "./pump.ts";

/** Joins two legs with Node streams; see `Pump.join` for the contract. */
export function joinPortable(a: Leg, b: Leg, turns: Turns, options: JoinOptions = {}): Joined {
  const { stallMs = limits.stallMs, halfClosedMs = limits.halfClosedMs } = options;
  const { promise: done, resolve } = Promise.withResolvers<PumpReport>();
  const watch = createPairWatch({ stallMs, halfClosedMs, now: performance.now() });
  const open = new Set([a.socket, b.socket]);
  let outcome: PumpOutcome | undefined;

  prepare(a.socket);
  prepare(b.socket);
  const aToB = startDirection(a, b.socket, turns, onDirectionEnd);
  const bToA = startDirection(b, a.socket, turns, onDirectionEnd);
  let timer = setInterval(onTimer, watchEveryMs({ stallMs, halfClosedMs })).unref();
  watchSocket(a.socket, "reset_by_a");
  watchSocket(b.socket, "reset_by_b");
  aToB.start();
  bToA.start();
  return { done, counts, cut: () => abort("cut") };

  function counts(): PumpCounts {
    return { aToB: aToB.state().moved, bToA: bToA.state().moved };
  }

  function abort(why: PumpOutcome): void {
    if (outcome !== undefined) return;
    decide(why);
    resetSocket(a.socket);
    resetSocket(b.socket);
  }

  function onTimer(): void {
    const verdict = watch(performance.now(), aToB.state(), bToA.state());
    if (verdict !== undefined) abort(verdict);
  }

  /** A pair whose two directions have ended has nothing left to say: both sockets close cleanly. */
  function onDirectionEnd(): void {
    if (outcome !== undefined || !aToB.state().ended || !bToA.state().ended) return;
    decide("closed");
    a.socket.destroy();
    b.socket.destroy();
  }

  /** From here on the pair only waits for its sockets. A TLS socket of Node may close without the event for it. */
  function decide(final: PumpOutcome): void {
    outcome = final;
    clearInterval(timer);
    timer = setInterval(() => {
      for (const socket of open) if (socket.closed) onClosed(socket);
    }, closedEveryMs).unref();
  }

  function watchSocket(socket: Socket, brokenOutcome: PumpOutcome): void {
    const onClose = (): void => {
      const complete = socket.readableEnded && socket.writableFinished; // its bytes may still be on their way to the other
      if (!complete) abort(brokenOutcome);
      onClosed(socket);
    };
    socket.on("error", () => abort(brokenOutcome));
    if (socket.closed) process.nextTick(onClose);
    else socket.once("close", onClose);
  }

  function onClosed(socket: Socket): void {
    open.delete(socket);
    if (open.size > 0) return;
    clearInterval(timer);
    resolve({ outcome: outcome ?? "closed", ...counts() });
  }
}

const closedEveryMs = 500;

/**
 * An owner's settings that would end or delay a pair are undone: idle timeouts, Nagle, close at the peer's FIN. Before
 * Node 24.19 the frequency of keepalive probes is fixed, and ten seconds without an answer end a silent pair.
 */
function prepare(socket: Socket): void {
  const { keepAliveMs, keepAliveEveryMs, peerLostMs } = limits;
  socket.allowHalfOpen = true;
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs, keepAliveEveryMs, (peerLostMs - keepAliveMs) / keepAliveEveryMs);
}
