import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { RawData } from "ws";
import type * as z from "zod";
import { RdvError, fromProblem } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { parseSignal, pingText, pongText } from "../protocol/signals.ts";
import type { Log } from "./log.ts";
import { noProxies } from "./proxy/proxies.ts";
import type { Proxies } from "./proxy/proxies.ts";
import { tunnelFor } from "./proxy/socket-tunnel.ts";

interface SignalSocketOptions<In> {
  readonly url: string;
  readonly token: string;
  readonly incoming: z.ZodType<In>;
  readonly onOpen: () => void;
  readonly onSignal: (signal: In) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly proxies?: Proxies | undefined;
  readonly heartbeatMs: number;
  readonly deadAfterMs: number;
}

/** How one connection ended. */
export interface SignalEnd {
  /** One line for the log. */
  readonly reason: string;
  /** How long it was open; 0 when it never was. */
  readonly openMs: number;
  /** The HTTP answer that refused the upgrade. */
  readonly refused: RdvError | undefined;
}

/** One WebSocket, from dial to end. */
export interface SignalSocket {
  /** False when it is not open. */
  send(signal: object): boolean;
  /** Resolves once, when the connection is over; never rejects. */
  readonly ended: Promise<SignalEnd>;
}

/** A goodbye in flight has this long to reach a peer that does not answer the close. */
const goodbyeMs = 1_000;

/** Dials one control WebSocket, keeps its heartbeat, and tells how it ended. Aborting `signal` closes it in order. */
export function openSignalSocket<In>(options: SignalSocketOptions<In>): SignalSocket {
  const { promise: ended, resolve } = Promise.withResolvers<SignalEnd>();
  const ws = new WebSocket(options.url, {
    headers: { authorization: `Bearer ${options.token}` },
    perMessageDeflate: false,
    maxPayload: limits.signalBytes,
    handshakeTimeout: limits.requestMs,
    ...tunnelFor(options.url, options.proxies ?? noProxies, options.signal),
  });
  let reason = "";
  let refused: RdvError | undefined;
  let openedAt: number | undefined;
  const heartbeat = createHeartbeat(ws, options, () => {
    reason = `silent for ${options.deadAfterMs} ms`;
    ws.terminate();
  });
  const onAbort = (): void => closeInOrder(ws);
  options.signal.addEventListener("abort", onAbort, { once: true });

  ws.on("open", () => {
    openedAt = performance.now();
    heartbeat.start();
    options.onOpen();
  });
  ws.on("message", (data, isBinary) => {
    heartbeat.heard();
    receive(data, isBinary, options);
  });
  ws.on("unexpected-response", (_request, response) => {
    void readRefusal(response).then((error) => {
      refused = error;
      ws.terminate();
    });
  });
  ws.on(
    "error",
    (error: NodeJS.ErrnoException) => (reason ||= error.message || error.code || "connection failed"),
  );
  ws.on("close", (code, text) => {
    heartbeat.stop();
    options.signal.removeEventListener("abort", onAbort);
    const openMs = openedAt === undefined ? 0 : performance.now() - openedAt;
    resolve({
      reason: refused?.message ?? (reason || `closed with ${code} ${text.toString()}`.trim()),
      openMs,
      refused,
    });
  });
  if (options.signal.aborted) onAbort();

  return {
    ended,
    send(signal) {
      if (ws.readyState !== WebSocket.OPEN) return false;
      ws.send(JSON.stringify(signal));
      return true;
    },
  };
}

function createHeartbeat(
  ws: WebSocket,
  times: { heartbeatMs: number; deadAfterMs: number },
  onDead: () => void,
) {
  let ping: NodeJS.Timeout | undefined;
  let dead: NodeJS.Timeout | undefined;
  return {
    start(): void {
      ping = setInterval(() => ws.readyState === WebSocket.OPEN && ws.send(pingText), times.heartbeatMs);
      dead = setTimeout(onDead, times.deadAfterMs);
    },
    heard: (): void => void dead?.refresh(),
    stop(): void {
      clearInterval(ping);
      clearTimeout(dead);
    },
  };
}

function receive<In>(data: RawData, isBinary: boolean, options: SignalSocketOptions<In>): void {
  // Node's ws gives one Buffer a message unless its binaryType was changed.
  const text = (data as Buffer).toString("utf8");
  if (text === pongText) return;
  let signal: In;
  try {
    if (isBinary) throw new RdvError("bad_request", "A binary message");
    signal = parseSignal(options.incoming, text);
  } catch (error) {
    // A newer peer may know signals that this version does not; those it needs it knows.
    options.log.warn("signal not understood", { error: (error as Error).message });
    return;
  }
  options.onSignal(signal);
}

/** The problem document in an HTTP refusal; a body that is too large, slow or broken counts as absent. */
async function readRefusal(response: IncomingMessage): Promise<RdvError> {
  const retryAfter = Number(response.headers["retry-after"]);
  const retryAfterMs = retryAfter > 0 ? retryAfter * 1_000 : undefined;
  const timer = setTimeout(() => response.destroy(), limits.requestMs);
  let text = "";
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > limits.bodyBytes) break;
    }
    return fromProblem(JSON.parse(text), response.statusCode ?? 0, retryAfterMs);
  } catch {
    return fromProblem(undefined, response.statusCode ?? 0, retryAfterMs);
  } finally {
    clearTimeout(timer);
  }
}

function closeInOrder(ws: WebSocket): void {
  if (ws.readyState === WebSocket.CONNECTING) return ws.terminate();
  ws.close(1000);
  const timer = setTimeout(() => ws.terminate(), goodbyeMs);
  ws.once("close", () => clearTimeout(timer));
}
