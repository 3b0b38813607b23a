import type { Address } from "../model.ts";

/** `up`: client to service. `down`: service to client. */
export type Direction = "up" | "down";

/** What a client worker can be told to do; one job at a time. */
export type Job =
  /** One stream for each address, until stopped. */
  | { readonly type: "streams"; readonly direction: Direction; readonly addresses: readonly Address[] }
  /** Sends to a service that does not read, until `bytes` are sent or stopped. */
  | { readonly type: "stall"; readonly address: Address; readonly bytes: number }
  | { readonly type: "ping"; readonly address: Address; readonly warmup: number; readonly count: number }
  | OpenJob
  /** Closes what an `open` with `keep` left. */
  | { readonly type: "release" };

/** Opens connections one after the other, `concurrency` at once, and waits for the service's first byte in each. */
export interface OpenJob {
  readonly type: "open";
  /** Taken in turn. */
  readonly addresses: readonly [Address, ...Address[]];
  readonly count: number;
  readonly concurrency: number;
  /** Rest before each connection; for `concurrency` 1. */
  readonly pauseMs: number;
  /** No connection is begun after this. */
  readonly maxMs: number;
  /** Leaves the connections open until `release`. */
  readonly keep: boolean;
}

/** The end of a job. Times are milliseconds; jobs without times answer with none. */
export type JobResult =
  | {
      readonly type: "done";
      readonly timesMs: readonly number[];
      readonly failed: number;
      readonly elapsedMs: number;
    }
  | { readonly type: "failed"; readonly message: string };

/** First byte of a connection: how the service treats it. The second byte is the slot it counts in. */
export const modes = { sink: 1, source: 2, echo: 3, deaf: 4 } as const;

/** Bytes of the header that every connection starts with. */
export const headerBytes = 2;

/** Streams counted apart. */
export const slots = 256;

export function header(mode: number, slot: number): Buffer {
  return Buffer.from([mode, slot % slots]);
}
