import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { limits } from "../protocol/limits.ts";
import { keepWebSocketAlive } from "./web-socket-heartbeat.ts";

interface StreamOptions {
  /** Of the connection that carries the WebSocket, as its own end of it shows. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly heartbeatMs?: number;
  readonly deadAfterMs?: number;
}

/** What both ends give to the WebSocket library: one message whole and not more, and no compression. */
export const webSocketOptions = {
  perMessageDeflate: false,
  maxPayload: limits.webSocketFrameBytes,
  // Our messages are whole; what lies in between may cut them (RFC 6455 section 5.4), but not into crumbs.
  maxFragments: 256,
  // Nor may a message come a byte at a time: each piece that is kept costs hundreds.
  maxBufferedChunks: 4_096,
  // The bound of a close is the stream's own, below.
  closeTimeout: limits.halfClosedMs,
} as const;

/**
 * An open WebSocket as a connection: a binary message is a piece of the bytes, an empty one is FIN, and a WebSocket
 * that closes before both FINs is a reset. Nothing is read while the reader does not want more. `destroy` before both
 * FINs resets; after them, and with `destroySoon`, what was sent may arrive.
 */
export function createWebSocketStream(ws: WebSocket, options: StreamOptions): Socket {
  let sent = 0;
  let received = 0;
  let finSent = false;
  let finRead = false;
  let leaving = false;
  const heartbeat = keepWebSocketAlive(ws, {
    ...options,
    mayBePaused: () => sent >= limits.webSocketFrameBytes,
  });
  const stream = new Duplex({
    allowHalfOpen: true,
    readableHighWaterMark: limits.webSocketFrameBytes,
    writableHighWaterMark: limits.webSocketFrameBytes,
    read: () => ws.resume(),
    write(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      sendPieces(ws, chunk, done);
    },
    final(done) {
      finSent = true;
      ws.send(fin);
      // Order is kept by what lies below; who ends a stream does not wait for its last two bytes.
      done();
    },
    destroy(error, done) {
      heartbeat.stop();
      if ((finSent && finRead) || leaving) closeInOrder(ws, sent);
      else ws.terminate();
      done(error);
    },
  });

  ws.on("message", (data, isBinary) => {
    heartbeat.heard();
    const bytes = bytesOf(data);
    received += bytes.length;
    if (stream.destroyed) return;
    if (!isBinary || finRead) return void stream.destroy(resetError("it sends what no half sends"));
    finRead = bytes.length === 0;
    if (!stream.push(finRead ? null : bytes) && !finRead) ws.pause();
  });
  ws.on("error", (error) => stream.destroy(resetError(error.message)));
  ws.on("close", () => {
    heartbeat.stop();
    if (!finSent || !finRead) stream.destroy(resetError("the WebSocket was closed"));
  });
  // Stays for good, as with sockets: a reset before the owner has looked must not end the process.
  stream.on("error", () => {});
  Object.defineProperty(stream, "bytesRead", { get: () => received });
  return asSocket(stream, options, () => (leaving = true));
}

const fin = Buffer.alloc(0);

/** One after the other, so that `done` says that all of it has left this process. */
function sendPieces(ws: WebSocket, chunk: Buffer, done: (error?: Error | null) => void): void {
  const size = limits.webSocketFrameBytes;
  // An empty message would be a FIN.
  if (chunk.length === 0) return done();
  if (chunk.length <= size) return ws.send(chunk, done);
  ws.send(chunk.subarray(0, size), (error) => {
    if (error) done(error);
    else sendPieces(ws, chunk.subarray(size), done);
  });
}

/** The library gives one Buffer a message unless its `binaryType` was changed. */
function bytesOf(data: RawData): Buffer {
  return data as Buffer;
}

/** What was sent may still be on its way to a slow reader; who was sent little and does not answer is not waited for. */
function closeInOrder(ws: WebSocket, sent: number): void {
  ws.close(1000);
  const bound = sent < limits.webSocketFrameBytes ? limits.lingerMs : limits.halfClosedMs;
  const timer = setTimeout(() => ws.terminate(), bound);
  timer.unref();
  ws.once("close", () => clearTimeout(timer));
}

function resetError(why: string): Error {
  return Object.assign(new Error(`connection reset: ${why}`), { code: "ECONNRESET" });
}

/** The few things of a socket that its users here and Node's HTTP server call, beyond those of a stream. */
function asSocket(
  stream: Duplex,
  { remoteAddress, remotePort }: StreamOptions,
  onLeaving: () => void,
): Socket {
  let idle: NodeJS.Timeout | undefined;
  const setTimeoutOf = (ms: number, onTimeout?: () => void): Duplex => {
    clearTimeout(idle);
    if (onTimeout) stream.once("timeout", onTimeout);
    if (ms > 0) idle = setTimeout(() => stream.emit("timeout"), ms);
    return stream;
  };
  stream.once("close", () => clearTimeout(idle));
  const like = {
    remoteAddress,
    remotePort,
    connecting: false,
    setTimeout: setTimeoutOf,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
    destroySoon() {
      onLeaving();
      stream.end();
      if (stream.writableFinished) stream.destroy();
      else stream.once("finish", () => stream.destroy());
    },
    resetAndDestroy: () => stream.destroy(),
  };
  // It has what a pair and Node's HTTP server use of a socket; what is left out names files and local addresses.
  return Object.assign(stream, like) as unknown as Socket;
}
