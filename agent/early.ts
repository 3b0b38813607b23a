import type { Socket } from "node:net";
import { limits } from "../protocol/limits.ts";

/** A socket that is kept read while its pair is being made. */
export interface Early {
  /** Aborts when the peer was reset or the socket broke. */
  readonly gone: AbortSignal;
  /** Stops reading and hands over what was read; the socket is paused, without listeners of this reader. */
  take(): { readonly early: Buffer; readonly ended: boolean };
}

/**
 * Reads a peer's first bytes, up to `limits.earlyBytes`, beginning with those in `first`. A socket that is not read
 * would show neither FIN nor RST; beyond the limit the bytes stay in the kernel and the peer has to wait.
 * `gone` is aborted when the peer is lost; a caller who has a reason of its own to give up brings its own.
 */
export function readEarly(socket: Socket, first: Buffer, gone = new AbortController()): Early {
  const chunks = [first];
  let bytes = first.length;
  let ended = false;

  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= limits.earlyBytes) socket.pause();
  };
  const onEnd = (): void => void (ended = true);
  const onClose = (): void => gone.abort();
  socket.on("data", onData).on("end", onEnd).on("close", onClose);
  if (bytes < limits.earlyBytes) socket.resume();

  return {
    gone: gone.signal,
    take() {
      socket.pause();
      socket.off("data", onData).off("end", onEnd).off("close", onClose);
      const rest = socket.read() as Buffer | null; // no encoding is set, so Node gives a Buffer
      if (rest !== null) chunks.push(rest);
      return { early: Buffer.concat(chunks), ended };
    },
  };
}
