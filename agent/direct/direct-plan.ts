import type { DirectMiss } from "../../protocol/connect.ts";
import { limits } from "../../protocol/limits.ts";

/** `want` names a client that needs a connection to the agent, `connection` one that was made. */
export type DirectEvent =
  /** Nobody needs a connection yet, but somebody will. */
  | { readonly type: "begin" }
  | { readonly type: "want"; readonly want: number }
  /** The timer of `wait` has fired, or the client has gone. */
  | { readonly type: "waited"; readonly want: number }
  /** The timer of `refillLater` has fired. */
  | { readonly type: "refill" }
  | { readonly type: "met"; readonly connection: number }
  | { readonly type: "missed"; readonly why: DirectMiss }
  /** A connection that was kept has ended. */
  | { readonly type: "lost"; readonly connection: number }
  /** This machine is in another network: what failed there may work here. */
  | { readonly type: "moved" };

export type DirectEffect =
  /** Try to meet the agent; `met` or `missed` follows. */
  | { readonly type: "attempt" }
  | { readonly type: "wait"; readonly want: number; readonly ms: number }
  /** Set the one timer anew. */
  | { readonly type: "refillLater"; readonly ms: number }
  | { readonly type: "give"; readonly want: number; readonly connection: number }
  /** The client takes the relay. */
  | { readonly type: "decline"; readonly want: number; readonly why: DirectMiss };

/** The client's direct connections, as a state machine without I/O. */
export interface DirectPlan {
  /** Takes one event at a time `now` (milliseconds, monotonic) and says what to do, in order. */
  readonly step: (event: DirectEvent, now: number) => readonly DirectEffect[];
  /** Connections that are kept ready. */
  readonly ready: number;
}

/** What stays as it is for long: another attempt soon would be a waste. */
const lasting: readonly DirectMiss[] = ["agent_off", "old", "limited", "symmetric"];

/**
 * Keeps a few connections ready once one was made, with one attempt at a time. After a failure clients take the relay
 * at once, and the next attempt is made for the first one that comes when the pause is over. With `only` there is no
 * relay to take: every client waits for an attempt.
 */
export function createDirectPlan({ only }: { readonly only: boolean }): DirectPlan {
  const ready: number[] = [];
  const waiting: number[] = [];
  let attempting = false;
  let failures = 0;
  let pausedUntil = -Infinity;
  let lastMiss: DirectMiss = "starting";

  function attempt(): DirectEffect[] {
    if (attempting) return [];
    attempting = true;
    return [{ type: "attempt" }];
  }

  function want(id: number, now: number): DirectEffect[] {
    const connection = ready.shift();
    if (connection !== undefined)
      return [
        { type: "give", want: id, connection },
        { type: "refillLater", ms: limits.directRefillMs },
      ];
    if (!only && !attempting && now < pausedUntil) return [{ type: "decline", want: id, why: lastMiss }];
    waiting.push(id);
    const patience: DirectEffect[] = only ? [] : [{ type: "wait", want: id, ms: limits.directWaitMs }];
    return [...attempt(), ...patience];
  }

  function refill(now: number): DirectEffect[] {
    return ready.length < limits.directPool && now >= pausedUntil ? attempt() : [];
  }

  function waited(id: number): DirectEffect[] {
    const at = waiting.indexOf(id);
    if (at < 0) return [];
    waiting.splice(at, 1);
    return [{ type: "decline", want: id, why: "starting" }];
  }

  function met(connection: number): DirectEffect[] {
    attempting = false;
    failures = 0;
    const next = waiting.shift();
    if (next === undefined) ready.push(connection);
    const given: DirectEffect[] = next === undefined ? [] : [{ type: "give", want: next, connection }];
    return [...given, ...(ready.length < limits.directPool ? attempt() : [])];
  }

  function missed(why: DirectMiss, now: number): DirectEffect[] {
    attempting = false;
    lastMiss = why;
    failures += 1;
    pausedUntil = now + pauseMs(why, failures);
    return waiting.splice(0).map((id) => ({ type: "decline", want: id, why }));
  }

  function lost(connection: number): DirectEffect[] {
    const at = ready.indexOf(connection);
    if (at >= 0) ready.splice(at, 1);
    return [];
  }

  function moved(): DirectEffect[] {
    failures = 0;
    pausedUntil = -Infinity;
    return [];
  }

  return {
    step(event, now) {
      switch (event.type) {
        case "begin":
          return attempt();
        case "want":
          return want(event.want, now);
        case "waited":
          return waited(event.want);
        case "refill":
          return refill(now);
        case "met":
          return met(event.connection);
        case "missed":
          return missed(event.why, now);
        case "lost":
          return lost(event.connection);
        case "moved":
          return moved();
      }
    },
    get ready() {
      return ready.length;
    },
  };
}

function pauseMs(why: DirectMiss, failures: number): number {
  if (lasting.includes(why)) return limits.directRetryCapMs;
  return Math.min(limits.directRetryCapMs, limits.directRetryMs * 2 ** (failures - 1));
}
