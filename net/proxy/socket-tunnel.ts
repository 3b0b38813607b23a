import type { createConnection } from "node:net";
import type { Socket } from "node:net";
import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { dialThroughProxy } from "./connect-dial.ts";
import type { Proxies } from "./proxies.ts";
import { targetOf } from "./url-target.ts";

/** How a WebSocket's request gets its connection: an option of the `ws` library, which hands it to `http.request`. */
interface Tunnel {
  readonly createConnection?: typeof createConnection;
}

/** The option that takes the WebSocket at `url` through its proxy; empty when there is none. Throws `usage` as `Proxies.for`. */
export function tunnelFor(url: string, proxies: Proxies, signal: AbortSignal): Tunnel {
  const parsed = new URL(url);
  const target = targetOf(parsed);
  const proxy = proxies.for(target);
  if (!proxy) return {};
  const dial = async (): Promise<Socket> => {
    const socket = await dialThroughProxy(proxy, { ...target, signal });
    if (target.use === "http") return socket;
    return connectTls({
      socket,
      ...(isIP(target.host) === 0 ? { servername: target.host } : { host: target.host }),
    });
  };
  const open: CreateLater = (_options, done) => {
    dial().then(
      (socket) => done(null, socket),
      (error: Error) => done(error),
    );
  };
  // http.request also takes a function that answers later, which the type of the option does not say.
  return { createConnection: open as unknown as typeof createConnection };
}

type CreateLater = (options: unknown, done: (error: Error | null, socket?: Socket) => void) => void;
