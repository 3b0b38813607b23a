import type { Socket } from "node:net";

/**
 * Takes so many bytes from a socket and leaves what follows in it. Rejects when the socket ends or breaks before, or
 * with the reason of `signal`; whoever called then destroys the socket.
 */
export async function readExactly(socket: Socket, bytes: number, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let taken = false;
  const look = (): void => {
    // Node may say `readable` again before whoever awaits this goes on: what follows is not ours.
    if (taken) return;
    const read = socket.read(bytes) as Buffer | null; // no encoding is set, so Node gives a Buffer
    // At the end of the stream Node gives what is left, however little.
    taken = read !== null;
    if (read !== null && read.length === bytes) resolve(read);
    else if (read !== null || socket.readableEnded) onEnd();
  };
  const onEnd = (): void => reject(new Error("the connection has ended"));
  const onAbort = (): void => reject(signal.reason as Error); // ours are errors
  socket.on("readable", look).once("end", onEnd).once("close", onEnd);
  signal.addEventListener("abort", onAbort, { once: true });
  if (socket.destroyed) onEnd();
  else look();
  try {
    return await promise;
  } finally {
    socket.off("readable", look).off("end", onEnd).off("close", onEnd);
    signal.removeEventListener("abort", onAbort);
  }
}
