import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Pattern } from "./pattern.ts";

/** Two connected TCP sockets. */
export interface Wire {
  /** The end that the test plays. */
  readonly outer: Socket;
  /** The end that is given to the pump. */
  readonly inner: Socket;
}

/** A listener that makes wires. */
export interface WireMaker extends AsyncDisposable {
  wire(): Promise<Wire>;
}

/** Makes wires over loopback; both ends are half-open and unread. The test's ends are destroyed with the maker. */
export async function createWireMaker(): Promise<WireMaker> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 });
  await once(server, "listening");
  const { port } = server.address() as { port: number }; // a TCP listener that listens has a port
  const wires = createWires(async () => {
    const outer = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    outer.on("error", () => {}); // a test that cares for a reset listens itself
    await once(outer, "connect");
    return outer;
  });
  server.on("connection", (inner: Socket) => wires.accepted(inner));
  return {
    wire: () => wires.wire(),
    async [Symbol.asyncDispose]() {
      server.close();
      await Promise.all([wires.cut(), once(server, "close")]);
    },
  };
}

/** The ends of wires, as they are found for each other. */
interface Wires {
  /** Dials the test's end and waits for the other one. */
  wire(): Promise<Wire>;
  /** The listener has the other end of the dial that is under way. */
  accepted(inner: Socket): void;
  /** Destroys the test's ends; resolves when they have closed. */
  cut(): Promise<void>;
}

/** Makes wires of what `dial` connects, one after the other, so that each end finds its own other end. */
export function createWires(dial: () => Promise<Socket>): Wires {
  const outers = new Set<Socket>();
  const waiting: ((inner: Socket) => void)[] = [];
  let last: Promise<unknown> = Promise.resolve();

  async function make(): Promise<Wire> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    waiting.push(resolve);
    const outer = await dial();
    outers.add(outer);
    outer.once("close", () => outers.delete(outer));
    return { outer, inner: await promise };
  }

  return {
    wire() {
      const next = last.then(make);
      last = next;
      return next;
    },
    accepted: (inner) => waiting.shift()?.(inner),
    async cut() {
      const closing = [...outers].map((outer) => gone(outer));
      for (const outer of outers) outer.destroy();
      await Promise.all(closing);
    },
  };
}

/** How a reader's stream ended, and how many bytes came before. */
export interface Received {
  readonly bytes: number;
  readonly end: "fin" | "reset";
}

/** Reads a socket to its end and checks every byte. */
export async function receive(socket: Socket, pattern: Pattern): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    try {
      pattern.check(bytes, chunk);
    } catch (error) {
      reject(error);
    }
    bytes += chunk.length;
  });
  socket.once("end", () => resolve({ bytes, end: "fin" }));
  socket.once("error", () => resolve({ bytes, end: "reset" }));
  return await promise;
}

/** Writes `total` bytes of the pattern, never more than the socket wants, and then FIN unless told otherwise. */
export async function send(
  socket: Socket,
  pattern: Pattern,
  total: number,
  options: SendOptions = {},
): Promise<void> {
  const { chunk = 256 * 1024, end = true, from = 0 } = options;
  for (let at = from; at < total && !socket.destroyed; at += chunk) {
    if (socket.write(pattern.bytes(at, Math.min(chunk, total - at)))) continue;
    await drainedOrGone(socket);
  }
  if (end) socket.end();
}

async function drainedOrGone(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("drain", resolve);
  socket.once("close", resolve);
  await promise;
  socket.removeListener("drain", resolve);
  socket.removeListener("close", resolve);
}

/** Resolves when the socket has closed, also after an error. */
export async function gone(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (socket.closed) return;
  socket.once("close", () => resolve());
  await promise;
}

interface SendOptions {
  readonly chunk?: number;
  readonly end?: boolean;
  readonly from?: number;
}
