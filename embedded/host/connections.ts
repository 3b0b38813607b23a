import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../../protocol/limits.ts";
import { createShares } from "../../protocol/shares.ts";
import { sourceOf } from "../../protocol/source-address.ts";

/** The connections of the HTTP server: a source's until an account has made a WebSocket of one, then the account's. */
export interface Connections {
  /** The connection is a WebSocket of this account from now on, which has no lifetime; false when that has its share. */
  settle(connection: Duplex, account: string): boolean;
}

/** What this machine knows of a connection. */
type Remote = Duplex & { readonly remoteAddress?: string | undefined };

/**
 * Shares the server's connections. A newcomer to a full server takes the oldest place of the source that has the most
 * connections without WebSocket, and none of these lasts longer than `limits.requestsMs`.
 */
export function shareConnections(server: Server, max: number): Connections {
  const shares = createShares<Duplex>({ max, greed: limits.accountGreed });
  const ends = new WeakMap<Duplex, NodeJS.Timeout>();
  const endsSoon = new WeakSet<Duplex>();

  server.on("connection", (connection: Remote) => {
    const entry = shares.enter(`from ${sourceOf(connection.remoteAddress ?? "")}`, connection);
    if (entry === "refused") return void connection.destroy();
    if (typeof entry === "object") entry.givesWay.destroy();
    ends.set(connection, endLater(connection));
    connection.once("close", () => {
      clearTimeout(ends.get(connection));
      shares.leave(connection);
    });
  });

  /** In two steps, so that nobody's answer is cut: first no more requests are taken. */
  function endLater(connection: Duplex): NodeJS.Timeout {
    const timer = setTimeout(() => {
      endsSoon.add(connection);
      const last = setTimeout(() => connection.destroy(), limits.lastRequestMs);
      ends.set(connection, last.unref());
    }, limits.requestsMs);
    return timer.unref();
  }

  server.prependListener("request", ({ socket }: IncomingMessage, answer: ServerResponse) => {
    if (endsSoon.has(socket)) answer.shouldKeepAlive = false;
  });

  return {
    settle: (connection, account) => {
      if (!shares.settle(connection, `account ${account}`)) return false;
      clearTimeout(ends.get(connection));
      return true;
    },
  };
}
