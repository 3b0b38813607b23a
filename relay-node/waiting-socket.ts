import type { Socket } from "node:net";
import type { Leg } from "../net/pump.ts";

interface WaitingSocketOptions {
  readonly socket: Socket;
  /** Bytes that may be read before the pair; 0 means that any byte is a mistake. */
  readonly earlyBytes: number;
  /** Bytes already read. */
  readonly head?: Buffer;
  /** The peer is gone: RST, or FIN without a byte. Called once at most. */
  readonly onGone: () => void;
  /** A byte came although `earlyBytes` is 0. Called once at most, instead of `onGone`. */
  readonly onTooEarly?: () => void;
  /** The peer said something and then FIN: it still wants its answer. Called once at most. */
  readonly onFinished?: () => void;
}

/** A connection that waits for its other half. */
export interface WaitingSocket {
  /** Ends the watch and gives the socket away, with all that was read from it. */
  take(): Leg;
  /** Ends the watch without a leg: the caller closes the socket. */
  release(): void;
}

/** A socket that is not read shows no RST; this often it is asked. */
const probeMs = 1_000;

/**
 * Keeps a waiting connection read, because Node shows neither FIN nor RST of a paused one; bounded by `earlyBytes`,
 * the rest stays in the kernel's buffer. A peer that is gone is told at once, one that is no longer read within a second.
 */
export function watchWaiting(options: WaitingSocketOptions): WaitingSocket {
  const { socket, earlyBytes, head, onGone } = options;
  const chunks: Buffer[] = head && head.length > 0 ? [head] : [];
  let received = head?.length ?? 0;
  let ended = false;
  let watching = true;
  let probe: NodeJS.Timeout | undefined;

  function onData(chunk: Buffer): void {
    if (earlyBytes === 0) return leave(options.onTooEarly ?? onGone);
    chunks.push(chunk);
    received += chunk.length;
    if (received >= earlyBytes) stopReading();
  }
  function onEnd(): void {
    ended = true;
    if (received === 0) return leave(onGone);
    startProbing();
    options.onFinished?.();
  }
  function onClose(): void {
    leave(onGone);
  }
  function leave(tell: () => void): void {
    if (!watching) return;
    release();
    tell();
  }
  function stopReading(): void {
    socket.pause();
    startProbing();
  }
  function startProbing(): void {
    // An empty write sends nothing, and fails when the peer has reset the connection: "error" and "close" follow.
    probe ??= setInterval(() => socket.write(""), probeMs);
  }
  function release(): void {
    watching = false;
    clearInterval(probe);
    socket.off("data", onData).off("end", onEnd).off("close", onClose);
  }

  socket.on("error", ignore);
  socket.on("data", onData).on("end", onEnd).on("close", onClose);
  if (received >= earlyBytes && earlyBytes > 0) stopReading();
  if (socket.destroyed) queueMicrotask(onClose);
  return {
    take() {
      socket.pause();
      release();
      return { socket, early: Buffer.concat(chunks), ended };
    },
    release,
  };
}

function ignore(): void {}
