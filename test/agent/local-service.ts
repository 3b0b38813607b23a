import type { Socket } from "node:net";
import { listenTcp } from "../../net/listen.ts";

/** A service beside the agent, in this process. */
export interface LocalService extends AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  accepted(): number;
  /** Connections open now. */
  live(): number;
  /** The next accepted connection that nobody has asked for yet. */
  connection(): Promise<Socket>;
}

/** Listens on loopback and gives each connection, untouched, to `serve` and to whoever asks for it. */
export async function startLocalService(
  serve: (socket: Socket) => void = () => {},
  port = 0,
): Promise<LocalService> {
  const sockets = new Set<Socket>();
  const queue: Socket[] = [];
  const askers: ((socket: Socket) => void)[] = [];
  let accepted = 0;
  const listener = await listenTcp({
    host: "127.0.0.1",
    port,
    onConnection: (socket) => {
      accepted += 1;
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      const asker = askers.shift();
      if (asker) asker(socket);
      else queue.push(socket);
      serve(socket);
    },
  });
  return {
    port: listener.port,
    accepted: () => accepted,
    live: () => sockets.size,
    connection: async () => queue.shift() ?? (await new Promise((resolve) => askers.push(resolve))),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await listener[Symbol.asyncDispose]();
    },
  };
}

/** Sends back what it gets, and ends when the client ends. */
export async function startLocalEcho(port = 0): Promise<LocalService> {
  return await startLocalService((socket) => socket.pipe(socket), port);
}
