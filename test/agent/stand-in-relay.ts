import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { RdvError, toProblem } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { formatPaired, waitingAnswer } from "../../protocol/handshake.ts";

/** A half as the relay sees it. */
export interface StandInHalf {
  readonly socket: Socket;
  readonly ticket: string;
  /** Sends the 101; from then on the socket speaks for the client. */
  pair(demand?: number): Socket;
  refuse(code: ErrorCode, retryAfterSeconds?: number): void;
}

/** The agent's side of a relay, played by a test: real sockets and the real handshake, but the test decides. */
export interface StandInRelay extends AsyncDisposable {
  readonly port: number;
  /** Halves accepted, open and not paired. */
  readonly waiting: ReadonlySet<StandInHalf>;
  /** Halves that ever came. */
  opened(): number;
  /** Takes the oldest waiting half, or the next one that comes. */
  take(): Promise<StandInHalf>;
  /** Resolves when exactly so many halves wait. */
  settled(count: number): Promise<void>;
  /** Stops and closes everything, as a crash does. */
  stop(): Promise<void>;
}

/** `greet` answers a new half; by default with 100, and the half then waits. */
export async function startStandInRelay(
  options: { port?: number; greet?: (half: StandInHalf, count: number) => "wait" | "answered" } = {},
): Promise<StandInRelay> {
  const sockets = new Set<Socket>();
  const waiting = new Set<StandInHalf>();
  const changes = new Set<() => void>();
  let count = 0;

  const changed = (): void => {
    for (const change of changes) change();
  };

  async function when<T>(find: () => T | undefined): Promise<T> {
    const now = find();
    if (now !== undefined) return now;
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = (): void => {
      const found = find();
      if (found === undefined) return;
      changes.delete(look);
      resolve(found);
    };
    changes.add(look);
    return await promise;
  }

  function greet(socket: Socket, head: string): void {
    const half: StandInHalf = {
      socket,
      ticket: /Bearer (\S+)/.exec(head)?.[1] ?? "",
      pair(demand = 0) {
        waiting.delete(half);
        socket.removeAllListeners("end");
        socket.write(formatPaired({ pair: `p${count}`, client: "192.0.2.1:1234", demand, ticketed: false }));
        changed();
        return socket;
      },
      refuse(code, retryAfterSeconds) {
        waiting.delete(half);
        const problem = toProblem(new RdvError(code));
        const body = JSON.stringify(problem);
        const retry = retryAfterSeconds === undefined ? "" : `Retry-After: ${retryAfterSeconds}\r\n`;
        socket.end(
          `HTTP/1.1 ${problem.status} No\r\n${retry}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
      },
    };
    count += 1;
    if ((options.greet?.(half, count) ?? "wait") === "answered") return;
    socket.once("close", () => {
      if (waiting.delete(half)) changed();
    });
    socket.once("end", () => socket.destroy());
    socket.write(waitingAnswer, () => {
      waiting.add(half);
      changed();
    });
  }

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    let head = "";
    const onData = (chunk: Buffer): void => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", onData);
      socket.resume();
      greet(socket, head);
    };
    socket.on("data", onData);
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a listening TCP server has such an address

  async function stop(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  }

  return {
    port,
    waiting,
    opened: () => count,
    take: async () =>
      await when(() => {
        const [half] = waiting;
        if (half) waiting.delete(half);
        return half;
      }),
    settled: async (wanted) => void (await when(() => (waiting.size === wanted ? true : undefined))),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
