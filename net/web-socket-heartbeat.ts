import type { WebSocket } from "ws";
import { limits } from "../protocol/limits.ts";

interface HeartbeatOptions {
  /**
   * The other end may have stopped to read, and then answers no ping: it is dead only when a stalled pair would be.
   * Else `deadAfterMs` of silence are enough.
   */
  readonly mayBePaused: () => boolean;
  readonly heartbeatMs?: number;
  readonly deadAfterMs?: number;
}

/** Pings a WebSocket so that what lies in between keeps it, and terminates it when the other end is gone. */
export function keepWebSocketAlive(
  ws: WebSocket,
  { mayBePaused, heartbeatMs = limits.heartbeatMs, deadAfterMs = limits.deadAfterMs }: HeartbeatOptions,
): { heard(): void; stop(): void } {
  let silentMs = 0;
  const heard = (): void => void (silentMs = 0);
  const timer = setInterval(() => {
    silentMs += heartbeatMs;
    // While this end does not read it hears no answer either.
    if (ws.isPaused) silentMs = 0;
    const bound = mayBePaused() ? Math.max(deadAfterMs, limits.stallMs + deadAfterMs) : deadAfterMs;
    if (silentMs > bound) ws.terminate();
    else if (ws.readyState === ws.OPEN) ws.ping();
  }, heartbeatMs);
  ws.on("pong", heard);
  ws.on("ping", heard);
  return { heard, stop: () => clearInterval(timer) };
}
