import type { Socket } from "node:net";

/** What moves the bytes: `kernel` splices in a worker thread (Linux, plain TCP), `portable` is Node streams. */
export type PumpKind = "kernel" | "portable";

/** One side of a pair, given to the pump for good: nobody else reads, writes or closes the socket from then on. */
export interface Leg {
  /** An open socket made with `allowHalfOpen`, with no `data` listener left on it. Every earlier write was flushed or is queued. */
  readonly socket: Socket;
  /** Bytes already read from the socket that belong to the stream; delivered first. */
  readonly early: Buffer;
  /** The peer's FIN was already read, after `early`. */
  readonly ended: boolean;
}

/** How a pair ended, seen from the pump; `a` and `b` are the legs in the order of `join`. */
export type PumpOutcome = "closed" | "reset_by_a" | "reset_by_b" | "stalled" | "half_closed_timeout" | "cut";

/** Bytes moved so far: read from one leg and handed to the other leg's kernel buffer. */
export interface PumpCounts {
  readonly aToB: number;
  readonly bToA: number;
}

export interface PumpReport extends PumpCounts {
  readonly outcome: PumpOutcome;
}

/** A pair in the pump. */
export interface Joined {
  /** Resolves once, after both sockets are closed; never rejects. */
  readonly done: Promise<PumpReport>;
  /** Readable while the pair lives. */
  counts(): PumpCounts;
  /** Resets both legs at once; `done` then says `cut`, unless the pair had ended before. */
  cut(): void;
}

/** Timers of a pair, in milliseconds; the defaults are `limits.stallMs` and `limits.halfClosedMs`. */
export interface JoinOptions {
  readonly stallMs?: number;
  readonly halfClosedMs?: number;
}

/**
 * Joins two legs: two independent directions; FIN is carried as FIN after the last byte; RST as RST; memory bounded.
 * `done` comes after both directions ended, or after one leg was reset or a timer cut the pair.
 */
export interface Pump extends AsyncDisposable {
  /** What this pump uses for a pair of plain TCP legs. */
  readonly kind: PumpKind;
  join(a: Leg, b: Leg, options?: JoinOptions): Joined;
}
