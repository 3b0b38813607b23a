import type { Socket } from "node:net";
import type { Log } from "../net/log.ts";
import { noProxies } from "../net/proxy/proxies.ts";
import type { Proxies } from "../net/proxy/proxies.ts";
import { openWebSocketStream } from "../net/web-socket-dial.ts";
import { hostPort } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { webSocketPath } from "../protocol/handshake.ts";
import { limits } from "../protocol/limits.ts";
import { dialRelay } from "./relay-dial.ts";
import type { RelayDialOptions, RelayPort } from "./relay-dial.ts";
import { createWayChoice } from "./way-choice.ts";
import type { Way, WayChoice } from "./way-choice.ts";

export interface RouteOptions {
  /** Ways out of this network; by default everything goes directly. */
  readonly proxies?: Proxies | undefined;
  /** `auto`: as it is, and inside a WebSocket through proxies and where something in between breaks it as it is. */
  readonly transport?: "auto" | Way | undefined;
  readonly log?: Log | undefined;
  /** Halves in a row that may be blocked before the other way is tried. */
  readonly patience?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** A connection to a relay, and where to tell what became of it. */
export interface RouteAttempt {
  readonly socket: Socket;
  /** The relay itself answered, be it a refusal. */
  worked(): void;
  /** Something in between answered, or nothing did. */
  blocked(): void;
}

/** The way to one relay, which learns from what became of each half. */
export interface RelayRoute {
  /** Something in between has blocked the last half, and the next one takes another way: worth an attempt at once. */
  readonly turns: boolean;
  /** Dials; throws what `dialRelay` throws. */
  dial(relay: RelayPort, options: Omit<RelayDialOptions, "proxies">): Promise<RouteAttempt>;
}

/** Makes the route of the halves to one relay; nothing is known of it yet. */
export function createRelayRoute(options: RouteOptions = {}): RelayRoute {
  const { proxies = noProxies, transport = "auto", log, patience, now = () => performance.now() } = options;
  let choice: WayChoice | undefined;
  let told: Way | undefined;

  function choose({ host, sharedPort: port }: RelayPort): Way {
    if (transport !== "auto") return transport;
    // Proxies take the FIN of one direction for the end of both, and close what is silent for minutes.
    const preferred = proxies.for({ use: "half", host, port }) ? "websocket" : "tcp";
    told ??= preferred;
    choice ??= createWayChoice({ preferred, patience });
    return choice.next(now());
  }

  function worked(way: Way, where: string): void {
    choice?.worked(way, now());
    if (told === undefined || way === told) return;
    told = way;
    const fields = { relay: where };
    if (way === "tcp") log?.info("the relay is reached without a WebSocket", fields);
    else log?.warn("something in between breaks connections to the relay; going inside a WebSocket", fields);
  }

  return {
    get turns() {
      return choice?.turns ?? false;
    },
    async dial(relay, dialOptions) {
      const way = choose(relay);
      const where = hostPort(relay.host, relay.sharedPort);
      const { signal, timeoutMs = limits.dialMs } = dialOptions;
      const startedAt = now();
      const plain = await dialRelay(relay, { ...dialOptions, proxies });
      const attempt = { worked: () => worked(way, where), blocked: () => choice?.blocked(way) };
      if (way === "tcp") return { socket: plain, ...attempt };
      const left = Math.max(1, timeoutMs - (now() - startedAt));
      try {
        const inside = { where, path: webSocketPath, signal, timeoutMs: left };
        return { socket: await openWebSocketStream(plain, inside), ...attempt };
      } catch (error) {
        if (error instanceof RdvError) attempt.blocked();
        throw error;
      }
    },
  };
}
