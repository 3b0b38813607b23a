import type { Socket } from "node:net";
import type { Turns } from "./pump-turns.ts";
import type { DirectionState } from "./pump-watch.ts";
import type { Leg } from "./pump.ts";

/** One direction of a pair in Node streams. */
interface Direction {
  /** Starts the flow: early bytes first. Call it once. */
  start(): void;
  state(): DirectionState;
}

/**
 * Carries everything from one leg to a socket, then FIN as FIN; `onEnd` is told when the FIN went out.
 * Not `pipe`: it ends the writer while bytes are still queued, and libuv refuses to reset a socket in that state.
 */
export function startDirection(from: Leg, to: Socket, turns: Turns, onEnd: () => void): Direction {
  const { socket } = from;
  let share = turns.share();
  let resting = false;
  let read = 0;
  let moved = 0;
  let finRead = false;
  let ended = false;
  return { start, state };

  /** An end that could not be handed over yet counts as one more byte: TLS says it with a last record. */
  function state(): DirectionState {
    return { moved, queued: read - moved + (finRead && !ended ? 1 : 0), ended };
  }

  function start(): void {
    to.on("drain", goOn);
    to.once("finish", () => {
      ended = finRead;
      onEnd();
    });
    if (from.early.length > 0) carry(from.early);
    if (from.ended || socket.readableEnded) onFin();
    socket.on("data", carry);
    socket.once("end", onFin);
    goOn();
  }

  function goOn(): void {
    if (!finRead && !resting && !to.writableNeedDrain) socket.resume();
  }

  function rest(): void {
    resting = true;
    turns.next(() => {
      resting = false;
      share = turns.share();
      goOn();
    });
  }

  function carry(chunk: Buffer): void {
    const { length } = chunk;
    read += length;
    const room = to.write(chunk, (error) => {
      if (error) return; // the socket's own `error` or `close` event ends the pair
      moved += length;
      if (finRead) endIfFlushed();
    });
    share -= length;
    if (share <= 0 && !resting) rest();
    if (!room || resting) socket.pause();
  }

  function onFin(): void {
    if (finRead) return;
    finRead = true;
    endIfFlushed();
  }

  function endIfFlushed(): void {
    if (moved === read && !to.destroyed) to.end();
  }
}
