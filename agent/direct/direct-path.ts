import type { Socket } from "node:net";
import { localAddresses } from "../../net/direct/local-addresses.ts";
import { readExactly } from "../../net/direct/read-exactly.ts";
import type { Log } from "../../net/log.ts";
import type { DirectMiss } from "../../protocol/connect.ts";
import { limits } from "../../protocol/limits.ts";
import { attemptDirect } from "./attempt.ts";
import type { AttemptDeps, Attempted } from "./attempt.ts";
import { createDirectPlan } from "./direct-plan.ts";
import type { DirectEffect, DirectEvent } from "./direct-plan.ts";
import type { DirectConnection } from "./prove.ts";
import { startByte } from "./start-byte.ts";

interface DirectPathDeps extends AttemptDeps {
  /** There is no relay to take: clients wait for an attempt and hear why it failed. */
  readonly only: boolean;
  readonly log: Log;
}

/** A connection on which the agent serves, or why there is none. */
export type DirectTaken =
  /** `offer` names the connection at both ends. */
  | { readonly type: "direct"; readonly connection: DirectConnection; readonly offer: string }
  | { readonly type: "missed"; readonly why: DirectMiss };

/** The client's side of direct connections. Disposing gives up the attempt and closes those that nobody took. */
export interface DirectPath extends AsyncDisposable {
  /** A connection for one client; waits at most `limits.directWaitMs`, unless there is no relay to take. */
  take(): Promise<DirectTaken>;
  /** Connections that are kept ready. */
  readonly ready: number;
}

/** Makes the client's direct connections to one agent, and begins with the first at once. */
export function createDirectPath(deps: DirectPathDeps): DirectPath {
  const plan = createDirectPlan(deps);
  const stop = new AbortController();
  const wants = new Map<number, (given: Met | DirectMiss) => void>();
  const timers = new Map<number, NodeJS.Timeout>();
  const ready = new Map<number, ReadySocket>();
  let running = Promise.resolve();
  let lastId = 0;
  let refill: NodeJS.Timeout | undefined;
  let network = networkOf();

  const step = (event: DirectEvent): void => {
    if (!stop.signal.aborted) plan.step(event, performance.now()).forEach(run);
  };

  function run(effect: DirectEffect): void {
    switch (effect.type) {
      case "attempt":
        return void (running = attempt());
      case "wait":
        timers.set(
          effect.want,
          setTimeout(() => step({ type: "waited", want: effect.want }), effect.ms),
        );
        return;
      case "refillLater":
        clearTimeout(refill);
        refill = setTimeout(() => step({ type: "refill" }), effect.ms);
        return;
      case "give":
        return settle(effect.want, takeReady(effect.connection));
      case "decline":
        return settle(effect.want, effect.why);
    }
  }

  async function attempt(): Promise<void> {
    const startedAt = performance.now();
    const took = (): number => Math.round(performance.now() - startedAt);
    try {
      const attempted = await attemptDirect(deps, stop.signal);
      if (attempted.type === "met") {
        deps.log.debug("a direct connection to the agent", {
          from: attempted.connection.peer,
          ms: took(),
        });
        return keep(attempted);
      }
      deps.log.debug("no direct connection to the agent", { why: attempted.why, ms: took() });
      step({ type: "missed", why: attempted.why });
    } catch (error) {
      if (stop.signal.aborted) return;
      deps.log.warn("no direct connections from here", { error: String(error) });
      step({ type: "missed", why: "no_address" });
    }
  }

  function keep(met: Met): void {
    if (stop.signal.aborted) return met.connection.destroy();
    lastId += 1;
    const connection = lastId;
    const onLost = (): void => {
      ready.delete(connection);
      step({ type: "lost", connection });
    };
    ready.set(connection, keepReady(met, onLost));
    step({ type: "met", connection });
  }

  function takeReady(connection: number): Met | DirectMiss {
    const met = ready.get(connection)?.take();
    ready.delete(connection);
    return met ?? "starting";
  }

  function settle(want: number, given: Met | DirectMiss): void {
    clearTimeout(timers.get(want));
    timers.delete(want);
    wants.get(want)?.(given);
    wants.delete(want);
  }

  async function want(): Promise<Met | DirectMiss> {
    lastId += 1;
    const { promise, resolve } = Promise.withResolvers<Met | DirectMiss>();
    wants.set(lastId, resolve);
    step({ type: "want", want: lastId });
    return await promise;
  }

  /** What broke one of them has probably broken all, and each would cost a client the wait for an answer. */
  function dropReady(): void {
    for (const [connection, kept] of ready) {
      kept.take().connection.destroy();
      step({ type: "lost", connection });
    }
    ready.clear();
  }

  async function take(): Promise<DirectTaken> {
    const now = networkOf();
    if (now !== network) step({ type: "moved" });
    network = now;
    for (;;) {
      if (stop.signal.aborted) return { type: "missed", why: "off" };
      const given = await want();
      if (typeof given === "string") return { type: "missed", why: given };
      const { connection, offer } = given;
      if (await start(connection.socket)) return { type: "direct", connection, offer };
      deps.log.debug("a direct connection had died meanwhile");
      dropReady();
    }
  }

  step({ type: "begin" });
  return {
    take,
    get ready() {
      return plan.ready;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      clearTimeout(refill);
      for (const want of wants.keys()) settle(want, "off");
      dropReady();
      await running;
    },
  };
}

type Met = Extract<Attempted, { type: "met" }>;

interface ReadySocket {
  /** Hands the connection over; nobody watches it any more. */
  take(): Met;
}

/** Watches a connection that has nothing to say: whatever it says, it is of no use any more. */
function keepReady(met: Met, onLost: () => void): ReadySocket {
  const { socket } = met.connection;
  const look = (): void => {
    if (socket.read() !== null) lose();
  };
  const lose = (): void => {
    detach();
    socket.destroy();
    onLost();
  };
  function detach(): Met {
    socket.off("readable", look).off("end", lose).off("close", lose);
    return met;
  }
  socket.on("readable", look).once("end", lose).once("close", lose);
  return { take: detach };
}

/** Asks the agent to serve the connection now; false when it does not say yes, and the connection is then closed. */
async function start(socket: Socket): Promise<boolean> {
  try {
    socket.write(startByte);
    const answer = await readExactly(socket, startByte.length, AbortSignal.timeout(limits.directStartMs));
    if (answer.equals(startByte)) return true;
  } catch {
    // It ended, broke, or is silent: the same for who needs a connection.
  }
  socket.destroy();
  return false;
}

/** Changes when this machine comes into another network. */
function networkOf(): string {
  const { ipv4, ipv6 } = localAddresses();
  return [...ipv4, ...ipv6].join();
}
