import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { createWebSocketStream, webSocketOptions } from "../net/web-socket-stream.ts";
import { webSocketPath } from "../protocol/handshake.ts";

/** Where halves come in that can come inside a WebSocket alone. */
export interface WebSocketDoor extends Disposable {
  /** Whether the request asks for a WebSocket that carries a connection. */
  wants(request: IncomingMessage): boolean;
  /** Answers such a request; a malformed one is refused with 400. */
  open(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

/**
 * Turns WebSockets at `webSocketPath` into connections and gives each to `onConnection`, as if it had just been
 * accepted: whoever is inside has said nothing yet. The connection shows the address from which the WebSocket came;
 * what headers say of another one is not believed.
 */
export function createWebSocketDoor(
  onConnection: (connection: Socket, outer: Socket) => void,
): WebSocketDoor {
  const server = new WebSocketServer({ noServer: true, ...webSocketOptions });
  return {
    // A WebSocket inside a WebSocket is nobody's need, and would have no end.
    wants: ({ method, url, headers, socket }) =>
      method === "GET" &&
      url?.split("?", 1)[0] === webSocketPath &&
      headers.upgrade?.toLowerCase() === "websocket" &&
      socket instanceof Socket,
    open(request, socket, head) {
      const { remoteAddress, remotePort } = socket;
      server.handleUpgrade(request, socket, head, (ws) =>
        onConnection(createWebSocketStream(ws, { remoteAddress, remotePort }), socket),
      );
    },
    [Symbol.dispose]() {
      for (const ws of server.clients) ws.terminate();
    },
  };
}
