import { setTimeout as delay } from "node:timers/promises";
import type * as z from "zod";
import { RdvError, errorRules } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { createBackoff } from "./backoff.ts";
import type { Backoff } from "./backoff.ts";
import type { Log } from "./log.ts";
import type { Proxies } from "./proxy/proxies.ts";
import { targetOf } from "./proxy/url-target.ts";
import { openSignalSocket } from "./signal-socket.ts";
import type { SignalEnd, SignalSocket } from "./signal-socket.ts";

export interface SignalLinkOptions<In, Out> {
  /** `http:`, `https:`, `ws:` or `wss:` address of the WebSocket. */
  readonly url: string;
  /** Bearer token of the upgrade request. */
  readonly token: string;
  /** What the other side may say; anything else is logged and left out. */
  readonly incoming: z.ZodType<In>;
  /** Called on every new connection, before any signal of it. */
  readonly onOpen: (send: (signal: Out) => void) => void;
  readonly onSignal: (signal: In) => void;
  /** The other side refused for a reason that a retry does not cure by itself; `stop` ends the link for good. */
  readonly onRefused: (error: RdvError) => "stop" | "retry";
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Ways out of this network; by default everything goes directly. */
  readonly proxies?: Proxies | undefined;
  readonly backoff?: Backoff;
  /** Who is at the other end, for the log. */
  readonly what?: string;
  readonly heartbeatMs?: number;
  readonly deadAfterMs?: number;
  readonly now?: () => number;
}

/** A control connection that comes back by itself, for ever. */
export interface SignalLink<Out> extends AsyncDisposable {
  /** Sends on the present connection; false when there is none, and the signal is dropped. */
  send(signal: Out): boolean;
  readonly connected: boolean;
  /** Ends the present wait between two attempts. */
  dialNow(): void;
}

/**
 * Keeps one WebSocket to the control plane: `ping` every `heartbeatMs`, dead after `deadAfterMs` of silence,
 * reconnecting with backoff and the server's `Retry-After` until it is disposed of or `signal` aborts.
 * Throws `usage` when the address or the token cannot be sent at all, or its proxy is none.
 */
export function createSignalLink<In, Out extends object = object>(
  options: SignalLinkOptions<In, Out>,
): SignalLink<Out> {
  requireSendable(options.url, options.token);
  options.proxies?.for(targetOf(new URL(options.url)));
  const { now = Date.now, backoff = createBackoff(), heartbeatMs = limits.heartbeatMs } = options;
  const stop = new AbortController();
  const lifetime = AbortSignal.any([options.signal, stop.signal]);
  const outage = createOutageLog(options.log, options.what ?? "control plane", now);
  let socket: SignalSocket | undefined;
  let wake = new AbortController();

  async function connectOnce(): Promise<SignalEnd> {
    const mine = openSignalSocket({
      ...options,
      heartbeatMs,
      deadAfterMs: options.deadAfterMs ?? limits.deadAfterMs,
      signal: lifetime,
      onOpen: () => {
        socket = mine;
        outage.over();
        options.onOpen((signal) => void mine.send(signal));
      },
    });
    const end = await mine.ended;
    socket = undefined;
    return end;
  }

  async function run(): Promise<void> {
    while (!lifetime.aborted) {
      const end = await connectOnce();
      if (lifetime.aborted) return;
      // A connection that is accepted and dropped at once is still part of the same outage.
      if (end.openMs >= heartbeatMs) backoff.reset();
      if (end.refused && !errorRules[end.refused.code].retry && options.onRefused(end.refused) === "stop")
        return;
      outage.begins(end.reason);
      wake = new AbortController();
      const wait = backoff.next(end.refused?.retryAfterMs);
      await delay(wait, undefined, { signal: AbortSignal.any([lifetime, wake.signal]) }).catch(() => {});
    }
  }

  const running = run();
  return {
    send: (signal) => socket?.send(signal) ?? false,
    get connected() {
      return socket !== undefined;
    },
    dialNow: () => wake.abort(),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

function requireSendable(url: string, token: string): void {
  if (!/^(https?|wss?):\/\/./.test(url) || !URL.canParse(url))
    throw new RdvError(
      "usage",
      `Not the address of a control plane: ${url}; it starts with http:// or https://`,
    );
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new RdvError("usage", "The token is empty or has spaces or line breaks in it; copy it again");
}

/** One line when an outage begins, and one when it is over. */
function createOutageLog(log: Log, what: string, now: () => number) {
  let since: number | undefined;
  return {
    begins(reason: string): void {
      if (since !== undefined) return;
      since = now();
      log.warn(`${what} away, retrying for ever`, { reason });
    },
    over(): void {
      if (since === undefined) return;
      log.info(`${what} back after ${Math.round((now() - since) / 1_000)} s`);
      since = undefined;
    },
  };
}
