import { setTimeout as delay } from "node:timers/promises";
import type { Readable, Writable } from "node:stream";
import { resetSocket } from "../../net/pump-reset.ts";
import type { OpenedPath } from "./path.ts";

/** A program's standard input and output, which belong to the connection alone. */
export interface Stdio {
  readonly input: Readable;
  readonly output: Writable;
  /** Lets whoever reads the output see its end, while the input may go on. */
  readonly closeOutput: () => void;
  /** Somebody types the input: nobody there waits for an end of its own when the other side has ended. */
  readonly isTerminal: boolean;
}

/** `reset_by_client`: nobody reads the output any more. */
type StdioOutcome = "closed" | "reset_by_agent" | "reset_by_client" | "cut";

/** After an interrupt, what was said already has this long to go over, in milliseconds. */
const goodbyeMs = 1_000;

/**
 * Joins a connection with standard input and output: the end of the input is carried as half-close, the end of the
 * connection closes the output, and what is full makes the other one wait. Resolves when both directions are over;
 * never rejects. When `signal` aborts, no more input is taken and both sides have a moment to finish.
 */
export async function forwardStdio(
  { socket, early }: Pick<OpenedPath, "socket" | "early">,
  { input, output, closeOutput, isTerminal }: Stdio,
  signal: AbortSignal,
): Promise<StdioOutcome> {
  const { promise, resolve } = Promise.withResolvers<StdioOutcome>();
  let heard = false;
  const over = (): void => {
    if (heard && socket.writableFinished) resolve("closed");
  };

  function onData(chunk: Buffer): void {
    if (!output.write(chunk)) socket.pause();
  }

  function onEnd(): void {
    output.end(() => {
      closeOutput();
      heard = true;
      if (isTerminal) stopInput();
      over();
    });
  }

  function stopInput(): void {
    input.pause();
    if (!socket.writableEnded) socket.end();
  }

  function onAbort(): void {
    stopInput();
    void delay(goodbyeMs, undefined, { ref: false }).then(() => resolve("cut"));
  }

  output.on("error", () => resolve("reset_by_client"));
  output.on("drain", () => socket.resume());
  socket.on("error", () => resolve("reset_by_agent"));
  socket.on("drain", () => input.resume());
  // A connection that is over may close before the output has taken its last bytes; those are waited for.
  socket.once("close", () => {
    if (!socket.readableEnded || !socket.writableFinished) resolve("reset_by_agent");
  });
  socket.once("finish", over);
  socket.once("end", onEnd);
  socket.on("data", onData);
  input.on("error", stopInput);
  input.once("end", stopInput);
  input.on("data", (chunk: Buffer) => {
    if (!socket.writableEnded && !socket.write(chunk)) input.pause();
  });
  signal.addEventListener("abort", onAbort, { once: true });
  if (early.length > 0) onData(early);
  if (socket.readableEnded) onEnd();
  if (signal.aborted) onAbort();
  else input.resume();
  if (!output.writableNeedDrain) socket.resume();
  const outcome = await promise;
  signal.removeEventListener("abort", onAbort);
  input.destroy();
  if (outcome === "closed") socket.destroy();
  else resetSocket(socket);
  return outcome;
}
