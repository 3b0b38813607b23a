import { connect } from "node:net";
import type { Socket } from "node:net";

/** Somebody who keeps as many connections open as they get. */
export interface Holder extends Disposable {
  /** Connections that the other side has ended so far. */
  lost(): number;
}

const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/**
 * Holds `count` connections from one address, and makes a new one for each that is ended. With `everyMs` each sends a
 * request that often, else nothing.
 */
export function holdConnections(
  port: number,
  localAddress: string,
  { count, everyMs }: { count: number; everyMs: number | undefined },
): Holder {
  const open = new Set<Socket>();
  let lost = 0;
  let isStopped = false;

  function hold(): void {
    if (isStopped) return;
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    open.add(socket);
    const timer =
      everyMs === undefined
        ? undefined
        : setInterval(() => void (socket.writable && socket.write(request)), everyMs);
    socket.on("connect", () => void (everyMs !== undefined && socket.write(request)));
    socket.on("error", () => {}).resume();
    socket.on("close", () => {
      clearInterval(timer);
      open.delete(socket);
      lost += 1;
      // A moment later, or this process would do nothing else.
      setTimeout(hold, 20).unref();
    });
  }

  for (let i = 0; i < count; i += 1) hold();
  return {
    lost: () => lost,
    [Symbol.dispose]: () => {
      isStopped = true;
      for (const socket of open) socket.destroy();
    },
  };
}
