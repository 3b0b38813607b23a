import type { Socket } from "node:net";
import { resetSocket } from "../net/pump-reset.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { createShares } from "../protocol/shares.ts";
import type { Place } from "../protocol/shares.ts";
import { sourceOf } from "../protocol/source-address.ts";

/**
 * Keeps the process below its descriptor limit: at the limit the system would close new connections without a word.
 * The room is shared by source addresses and accounts, so that nobody keeps others out.
 */
export interface ConnectionBudget {
  /**
   * Gives a new connection a place until it closes. While the place is not kept, it goes to another source when there is
   * no other room; the connection is then reset. False, and the socket is reset, when there is none for this source.
   */
  admit(socket: Socket): boolean;
  /** `inner` (TLS, a WebSocket) lies on `outer`, and has the place of that one. */
  carry(inner: Socket, outer: Socket): void;
  /** The connection is of use: it keeps its place, as one of this account's. False when the account has its share. */
  keep(socket: Socket, account: string): boolean;
  /**
   * The sockets' descriptors go to the pump, which closes the socket objects early: their places are held until
   * `release`. What carries TLS or a WebSocket keeps its place until it closes, as before.
   */
  handOver(sockets: readonly Socket[]): Place[];
  release(places: readonly Place[]): void;
  /** A listener of this account's session takes a descriptor, too, until the one call of the result. Throws `full`. */
  hold(account: string): () => void;
  /** Connections, without listeners. */
  readonly inUse: number;
  /** Connections that were reset because there was no room. */
  readonly dropped: number;
}

/** Makes a budget of `max` connections and listeners over all ports of a relay. */
export function createConnectionBudget(max: number): ConnectionBudget {
  const shares = createShares<Socket | symbol>({ max, greed: limits.connectionGreed });
  const carriers = new WeakMap<Socket, Socket>();
  const carried = new WeakMap<Socket, Socket>();
  let listeners = 0;
  let dropped = 0;

  const outermost = (socket: Socket): Socket => carriers.get(socket) ?? socket;

  /** By what lies on top of it, which knows whether its end is on its way already. */
  function drop(socket: Socket): void {
    dropped += 1;
    resetSocket(carried.get(socket) ?? socket);
  }

  function enter(holder: string, item: Socket | symbol): boolean {
    const entry = shares.enter(holder, item);
    // A listener is settled as soon as it has entered, so what gives way is a connection.
    if (typeof entry === "object" && typeof entry.givesWay !== "symbol") drop(entry.givesWay);
    return entry !== "refused";
  }

  function onClose(this: Socket): void {
    shares.leave(this);
  }

  return {
    get inUse() {
      return shares.inUse - listeners;
    },
    get dropped() {
      return dropped;
    },
    admit(socket) {
      const admitted = enter(sourceOf(socket.remoteAddress ?? ""), socket);
      if (admitted) socket.once("close", onClose);
      else drop(socket);
      return admitted;
    },
    carry(inner, outer) {
      carriers.set(inner, outermost(outer));
      carried.set(outermost(outer), inner);
    },
    keep: (socket, account) => shares.settle(outermost(socket), account),
    handOver(sockets) {
      return sockets.flatMap((socket) => {
        if (!carriers.has(socket)) return shares.detach(socket) ?? [];
        shares.settle(outermost(socket));
        return [];
      });
    },
    release(places) {
      for (const place of places) shares.give(place);
    },
    hold(account) {
      const listener = Symbol("listener");
      if (!enter(account, listener))
        throw new RdvError("full", "This relay has no room for another session's port");
      shares.settle(listener);
      listeners += 1;
      return () => {
        listeners -= 1;
        shares.leave(listener);
      };
    },
  };
}
