import type { DirectOutcome } from "../../protocol/connect.ts";

/** `target` is the index of an address of the other side, `id` names a connection, dialled or accepted. */
export type PunchEvent =
  | { readonly type: "start" }
  /** The dial has ended without a connection, so many milliseconds after its begin. */
  | { readonly type: "failed"; readonly target: number; readonly afterMs: number }
  /** The timer of `retryLater` has fired. */
  | { readonly type: "retry"; readonly target: number }
  /** A connection is there; undefined when it was accepted. Nobody knows yet who is at its other end. */
  | { readonly type: "connected"; readonly id: number; readonly target: number | undefined }
  | { readonly type: "proven"; readonly id: number }
  | { readonly type: "unproven"; readonly id: number }
  /** Time is up. */
  | { readonly type: "expired" };

export type PunchEffect =
  | { readonly type: "dial"; readonly target: number }
  | { readonly type: "retryLater"; readonly target: number; readonly ms: number }
  /** Find out who is at the other end. */
  | { readonly type: "prove"; readonly id: number }
  | { readonly type: "close"; readonly id: number }
  /** The other side is met. */
  | { readonly type: "met"; readonly id: number }
  /** End the dials and timers that are left; no further connection is wanted. */
  | { readonly type: "stopDialling" }
  /** Nothing more will happen. */
  | { readonly type: "over"; readonly outcome: DirectOutcome };

/** One attempt to meet, as a state machine without I/O. */
export interface PunchPlan {
  readonly step: (event: PunchEvent) => readonly PunchEffect[];
}

export interface PunchPlanOptions {
  /** How many addresses there are. */
  readonly targets: number;
  /** Take the first connection that is proven and close the others: the side that chooses, which is the client's. */
  readonly chooses: boolean;
  readonly random: () => number;
}

/** Dials of one address, in all. */
const triesPerTarget = 64;
/** Connections whose other end is unknown, at once: of everybody who finds the listener. */
const unknownAtOnce = 8;
/** Shortest and longest pause before the next dial of an address that refused the last one. */
const pauseMs = { least: 5, most: 250 };

/**
 * Dials all addresses at once. A dial that is not answered is left alone: the kernel repeats its SYN, and the SYN that
 * the other side sends to the same port meanwhile completes it (RFC 9293 section 3.5, simultaneous open). One that is
 * refused is made again after a random share of the time that the refusal took: two SYNs that cross must both be on
 * their way.
 */
export function createPunchPlan({ targets, chooses, random }: PunchPlanOptions): PunchPlan {
  const tries = new Map<number, number>();
  const unknown = new Set<number>();
  let phase: "dialling" | "met" | "over" = "dialling";
  let strangers = 0;

  function dial(target: number): PunchEffect[] {
    const count = (tries.get(target) ?? 0) + 1;
    tries.set(target, count);
    return count > triesPerTarget ? [] : [{ type: "dial", target }];
  }

  function connected(id: number): PunchEffect[] {
    if (phase !== "dialling" || unknown.size >= unknownAtOnce) return [{ type: "close", id }];
    unknown.add(id);
    return [{ type: "prove", id }];
  }

  function proven(id: number): PunchEffect[] {
    unknown.delete(id);
    const first = phase === "dialling";
    phase = "met";
    const stop: PunchEffect[] = first ? [{ type: "stopDialling" }] : [];
    return [{ type: "met", id }, ...stop, ...(chooses ? over("opened") : overWhenKnown())];
  }

  function unproven(id: number): PunchEffect[] {
    unknown.delete(id);
    strangers += 1;
    return [{ type: "close", id }, ...overWhenKnown()];
  }

  /** The side that does not choose waits for the other connections that are under way: one of them may be the chosen one. */
  function overWhenKnown(): PunchEffect[] {
    return phase === "met" && unknown.size === 0 ? over("opened") : [];
  }

  function over(outcome: DirectOutcome): PunchEffect[] {
    phase = "over";
    const closed = [...unknown].map((id): PunchEffect => ({ type: "close", id }));
    unknown.clear();
    return [...closed, { type: "over", outcome }];
  }

  function expired(): PunchEffect[] {
    if (phase === "met") return over("opened");
    return [{ type: "stopDialling" }, ...over(strangers + unknown.size > 0 ? "refused" : "timed_out")];
  }

  return {
    step(event) {
      if (phase === "over") return event.type === "connected" ? [{ type: "close", id: event.id }] : [];
      switch (event.type) {
        case "start":
          return Array.from({ length: targets }, (_, target) => dial(target)).flat();
        case "failed":
          return phase === "dialling" ? [later(event.target, event.afterMs, random)] : [];
        case "retry":
          return phase === "dialling" ? dial(event.target) : [];
        case "connected":
          return connected(event.id);
        case "proven":
          return unknown.has(event.id) ? proven(event.id) : [];
        case "unproven":
          return unknown.has(event.id) ? unproven(event.id) : [];
        case "expired":
          return expired();
      }
    },
  };
}

function later(target: number, afterMs: number, random: () => number): PunchEffect {
  const ms = Math.min(pauseMs.most, Math.max(pauseMs.least, afterMs) * (0.5 + random()));
  return { type: "retryLater", target, ms };
}
