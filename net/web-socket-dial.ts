import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { RdvError } from "../protocol/errors.ts";
import { createWebSocketStream, webSocketOptions } from "./web-socket-stream.ts";

interface WebSocketDialOptions {
  /** The other side's `host:port`, for its request and for errors. */
  readonly where: string;
  readonly path: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/**
 * Opens a WebSocket (RFC 6455) on a connected socket, and gives it as a connection of its own. Throws `unreachable`,
 * `timeout`, or the reason of `signal`, and the socket is then destroyed.
 */
export async function openWebSocketStream(socket: Socket, options: WebSocketDialOptions): Promise<Socket> {
  const { where, path, signal, timeoutMs } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const { remoteAddress, remotePort } = socket;
  const ws = begin(socket, `ws://${where}${path}`);
  // At once, because the first message may be read before whoever waits for the promise goes on.
  ws.once("open", () => resolve(createWebSocketStream(ws, { remoteAddress, remotePort })));
  ws.on("error", (error) => reject(unreachable(`${where} opens no WebSocket: ${error.message}`)));
  ws.once("unexpected-response", (_request, { statusCode = 0 }) =>
    reject(unreachable(`${where} answers ${statusCode} to a WebSocket`)),
  );
  const timer = setTimeout(
    () => reject(new RdvError("timeout", `${where} opens no WebSocket within ${Math.round(timeoutMs)} ms`)),
    timeoutMs,
  );
  const onAbort = (): void => reject(signal.reason as Error); // ours are errors
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await promise;
  } catch (error) {
    ws.terminate();
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** Names that a proxy takes may be none for a URL, `host.1` for one. */
function begin(socket: Socket, url: string): WebSocket {
  if (URL.canParse(url)) return new WebSocket(url, { ...webSocketOptions, createConnection: () => socket });
  socket.destroy();
  throw unreachable(`${url} is no address of a WebSocket`);
}

function unreachable(what: string): RdvError {
  return new RdvError("unreachable", what);
}
