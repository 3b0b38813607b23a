import type { ErrorCode } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { TicketedPlacement } from "../protocol/placements.ts";

/** A placement as the pool needs it: where to dial, with which ticket, in which epoch of the session. */
export interface PoolPlacement extends TicketedPlacement {
  readonly epoch: number;
}

/** Why a half ended before it was paired. */
export type HalfFailure =
  /** Not reached, no answer in time, or not a relay. */
  | { readonly type: "unreachable"; readonly reason: string }
  /** The relay closed or lost a half that it had accepted. */
  | { readonly type: "gone"; readonly reason: string }
  | {
      readonly type: "refused";
      readonly code: ErrorCode;
      readonly reason: string;
      readonly retryAfterMs: number | undefined;
    };

export type PoolEvent =
  /** Where to dial from now on; the same address with a new ticket keeps the halves that wait. */
  | { readonly type: "placed"; readonly placement: PoolPlacement }
  /** The relay said 100: the half waits and the session's port is open. */
  | { readonly type: "accepted"; readonly half: number }
  | { readonly type: "paired"; readonly half: number; readonly demand: number }
  | { readonly type: "lost"; readonly half: number; readonly failure: HalfFailure }
  /** The timer of a `retry` effect has fired. */
  | { readonly type: "retry" }
  /** The control plane says that the relay is back. */
  | { readonly type: "dial"; readonly withinMs: number }
  /** The relay may be gone: the halves that wait may be waiting for nobody. */
  | { readonly type: "check" }
  /** Another relay serves now: nothing new is dialled, what waits stays until the relay ends it. */
  | { readonly type: "leave" }
  | { readonly type: "close" };

export type PoolEffect =
  | { readonly type: "dial"; readonly half: number; readonly placement: PoolPlacement }
  /** Close a half that dials or waits. */
  | { readonly type: "drop"; readonly half: number }
  /** Set the one timer anew: after the backoff's next delay; `fresh` says that a new outage begins. */
  | { readonly type: "retryLater"; readonly fresh: boolean; readonly atLeastMs: number | undefined }
  /** Set the one timer anew: at a random moment within so many milliseconds. */
  | { readonly type: "retryWithin"; readonly ms: number }
  /** The relay took a half: clients can come. Said on every change from `down` and after a new placement. */
  | { readonly type: "up"; readonly placement: PoolPlacement }
  /** No half waits at the relay any more; said once an outage. */
  | { readonly type: "down"; readonly reason: string }
  /** The relay cannot be reached; said with every failed attempt. */
  | { readonly type: "unreachable" }
  /** Ask the control plane for new tickets. */
  | { readonly type: "renew" }
  /** Tell the control plane that this placement does not serve. */
  | { readonly type: "report"; readonly code: ReportedCode; readonly placement: PoolPlacement }
  /** The relay says that this agent has nothing to do here any more. */
  | { readonly type: "stop"; readonly reason: "replaced" | "ended" };

/** Refusals that another port, relay or ticket may cure. */
export type ReportedCode = "port_unavailable" | "wrong_relay" | "ticket_invalid" | "draining" | "full";

export interface Pool {
  /** Takes one event at a time `now` (milliseconds, monotonic) and says what to do, in order. */
  step(event: PoolEvent, now: number): readonly PoolEffect[];
  /** Halves that dial or wait. */
  readonly open: number;
  /** Halves that the relay has accepted. */
  readonly waiting: number;
}

export interface PoolOptions {
  /** Halves to keep waiting, from 1 to `limits.poolMax`. */
  readonly size: number;
  /** The session ends with its first pair: nothing replaces that half. */
  readonly once: boolean;
}

interface Half {
  readonly placement: PoolPlacement;
  readonly phase: "dialing" | "waiting";
}

/**
 * The warm pool of waiting halves at one relay, as a state machine without I/O.
 * `up`: lost halves and paired ones are replaced. `probing`: the relay failed or is new; one half at a time asks it,
 * so that an outage costs one connect per backoff and not `size`. `leaving` and `closed`: nothing is dialled any more.
 */
export function createPool(options: PoolOptions): Pool {
  const halves = new Map<number, Half>();
  let mode: "up" | "probing" | "leaving" | "closed" = "probing";
  let placement: PoolPlacement | undefined;
  let nextHalf = 1;
  let upSince = -Infinity;
  let saidDown = false;
  let suspect = false;
  let refused = false;
  let timerSet = false;

  const isStale = (half: Half): boolean => placement === undefined || !samePlace(half.placement, placement);
  const count = (phase?: Half["phase"]): number => {
    let n = 0;
    for (const half of halves.values())
      if (!isStale(half) && (phase === undefined || half.phase === phase)) n += 1;
    return n;
  };

  function dial(wanted: number): PoolEffect[] {
    const effects: PoolEffect[] = [];
    if (placement === undefined) return effects;
    for (let open = count(); open < Math.min(wanted, limits.poolMax); open += 1) {
      halves.set(nextHalf, { placement, phase: "dialing" });
      effects.push({ type: "dial", half: nextHalf, placement });
      nextHalf += 1;
    }
    return effects;
  }

  function setTimer(effect: Extract<PoolEffect, { type: "retryLater" | "retryWithin" }>): PoolEffect[] {
    timerSet = true;
    return [effect];
  }

  function placed(next: PoolPlacement): PoolEffect[] {
    const before = placement;
    placement = next;
    // Halves of the old place are kept until the new one has accepted a half, so that no client finds nobody.
    if (before === undefined || !samePlace(before, next)) {
      mode = "probing";
      return dial(1);
    }
    const cured = mode === "probing" && refused && before.ticket !== next.ticket;
    return cured ? setTimer({ type: "retryWithin", ms: limits.backoffBaseMs }) : [];
  }

  function accepted(id: number, half: Half, now: number): PoolEffect[] {
    halves.set(id, { ...half, phase: "waiting" });
    if (isStale(half) || mode !== "probing") return [];
    mode = "up";
    upSince = now;
    suspect = false;
    saidDown = false;
    refused = false;
    return [{ type: "up", placement: half.placement }, ...dropWhere(isStale), ...dial(options.size)];
  }

  function paired(id: number, half: Half, demand: number): PoolEffect[] {
    halves.delete(id);
    if (options.once) return close();
    if (isStale(half)) return [];
    // Halves beyond `size` are used up without being replaced; closing one could cut a pair that is just being made.
    if (mode === "up") return dial(options.size + demand);
    if (mode === "leaving") return [];
    // It lives, so the next attempt need not wait for the backoff, unless it was the relay that asked for a pause.
    return refused || count("dialing") > 0 ? [] : setTimer({ type: "retryWithin", ms: limits.backoffBaseMs });
  }

  function lost(id: number, half: Half, failure: HalfFailure, now: number): PoolEffect[] {
    halves.delete(id);
    // The relay refuses halves of an epoch that this same agent has left behind.
    if (isStale(half)) return [];
    const stop = stopReason(failure);
    if (stop !== undefined && mode !== "leaving") return [...close(), { type: "stop", reason: stop }];
    if (mode === "leaving" || (mode === "up" && count("waiting") >= options.size)) return [];
    const first = mode === "up";
    mode = "probing";
    refused = failure.type === "refused";
    const effects = [...down(failure), ...unreachable(failure)];
    if (!first && (timerSet || count("dialing") > 0)) return effects;
    // A relay that accepts and drops at once is still in the same outage.
    const fresh = first && now - upSince >= limits.backoffYoungCapMs;
    const atLeastMs = failure.type === "refused" ? failure.retryAfterMs : undefined;
    return [
      ...effects,
      ...cure(failure, half.placement),
      ...setTimer({ type: "retryLater", fresh, atLeastMs }),
    ];
  }

  function down(failure: HalfFailure): PoolEffect[] {
    if (saidDown || count("waiting") > 0) return [];
    saidDown = true;
    return [{ type: "down", reason: failure.reason }];
  }

  function unreachable({ type }: HalfFailure): PoolEffect[] {
    return type === "unreachable" && (suspect || count("waiting") === 0) ? [{ type: "unreachable" }] : [];
  }

  function check(): PoolEffect[] {
    if (mode === "up") {
      mode = "probing";
      suspect = true;
    }
    return mode === "probing" && count("dialing") === 0 ? dial(count() + 1) : [];
  }

  function retry(): PoolEffect[] {
    timerSet = false;
    // A second probe goes beside one that may still hang in the SYN of a relay that has just come back.
    return mode === "probing" && count("dialing") < 2 ? dial(count() + 1) : [];
  }

  function dropWhere(matches: (half: Half) => boolean): PoolEffect[] {
    const dropped = [...halves].filter(([, half]) => matches(half)).map(([id]) => id);
    for (const id of dropped) halves.delete(id);
    return dropped.map((half) => ({ type: "drop", half }));
  }

  function leave(): PoolEffect[] {
    mode = "leaving";
    return dropWhere(({ phase }) => phase === "dialing");
  }

  function close(): PoolEffect[] {
    mode = "closed";
    return dropWhere(() => true);
  }

  return {
    step(event, now) {
      if (mode === "closed") return [];
      if (event.type === "leave") return leave();
      if (event.type === "placed") return placed(event.placement);
      if (event.type === "retry") return retry();
      if (event.type === "dial")
        return mode === "probing" ? setTimer({ type: "retryWithin", ms: event.withinMs }) : [];
      if (event.type === "check") return check();
      if (event.type === "close") return close();
      const half = halves.get(event.half);
      if (half === undefined) return [];
      if (event.type === "accepted") return accepted(event.half, half, now);
      if (event.type === "paired") return paired(event.half, half, event.demand);
      return lost(event.half, half, event.failure, now);
    },
    get open() {
      return halves.size;
    },
    get waiting() {
      return count("waiting");
    },
  };
}

/** Halves of these two placements are alike for the relay; a new ticket alone changes nothing for one that waits. */
function samePlace(a: PoolPlacement, b: PoolPlacement): boolean {
  return (
    a.epoch === b.epoch &&
    a.host === b.host &&
    a.sharedPort === b.sharedPort &&
    a.clientPort === b.clientPort &&
    a.tls === b.tls &&
    a.relay === b.relay
  );
}

function stopReason(failure: HalfFailure): "replaced" | "ended" | undefined {
  if (failure.type !== "refused") return undefined;
  return failure.code === "replaced" || failure.code === "ended" ? failure.code : undefined;
}

const reported: readonly string[] = [
  "port_unavailable",
  "wrong_relay",
  "ticket_invalid",
  "draining",
  "full",
] satisfies ReportedCode[];

function isReported(code: ErrorCode): code is ReportedCode {
  return reported.includes(code);
}

/** What the control plane can do about a refusal, besides the retry. */
function cure(failure: HalfFailure, placement: PoolPlacement): PoolEffect[] {
  if (failure.type !== "refused") return [];
  const { code } = failure;
  const effects: PoolEffect[] = [];
  if (code === "ticket_expired" || code === "ticket_invalid") effects.push({ type: "renew" });
  if (isReported(code)) effects.push({ type: "report", code, placement });
  return effects;
}
