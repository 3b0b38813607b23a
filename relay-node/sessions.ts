import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { listenTcp } from "../net/listen.ts";
import type { TcpListener } from "../net/listen.ts";
import { hostPort } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import type { EndedSession } from "../protocol/signals.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { createAllowList, isLoopback, plainAddress, sourceOf } from "./addresses.ts";
import type { Arrival } from "./arrival.ts";
import { createRelaySession } from "./session.ts";
import type { RelaySession, SessionDeps } from "./session.ts";
import { createSourceRate } from "./source-rate.ts";

interface SessionsOptions extends SessionDeps {
  readonly listenHost: string;
  /** Ports that sessions may have. */
  readonly ports: { readonly from: number; readonly to: number };
  /** A session is over although its tickets still live. */
  readonly onEnded: (ended: EndedSession) => void;
}

/** A connection on the shared port whose ticket was found good. */
export type HttpArrival = Omit<Arrival, "id" | "http" | "address">;

/** All sessions of a relay. */
export interface Sessions {
  /** Takes an agent's half. Throws `draining`. */
  half(arrival: HttpArrival, ticket: Ticket): void;
  /** Takes a client with a ticket. Throws `draining` or `forbidden`. */
  client(arrival: HttpArrival, ticket: Ticket): void;
  /** Ends a session now: its port, its halves, its pairs. */
  end(session: string): void;
  /** Takes nothing new; pairs go on. */
  drain(): void;
  /** Cuts all that is left. */
  cut(): void;
  /** Resolves when no session is left. */
  empty(): Promise<void>;
  counts(): {
    readonly sessions: number;
    readonly halves: number;
    readonly clients: number;
    readonly pairs: number;
  };
}

/** Makes the table of a relay's sessions; a session is looked up by owner and id, never by id alone. */
export function createSessions(options: SessionsOptions): Sessions {
  const sessions = new Map<string, { readonly id: string; readonly session: RelaySession }>();
  const holders = new Map<number, RelaySession>();
  const mayConnect = createSourceRate({ now: options.now });
  let draining = false;
  let whenEmpty = Promise.withResolvers<void>();

  function sessionOf({ owner, session: id }: Ticket): RelaySession {
    if (draining)
      throw new RdvError("draining", "This relay is stopping; ask the control plane for another one");
    const key = `${owner}/${id}`;
    const known = sessions.get(key)?.session;
    if (known) return known;
    const session: RelaySession = createRelaySession({
      ...options,
      session: id,
      openPort: async (port) => openPort(port, id, session),
      onEnded: (until) => options.onEnded({ session: id, until }),
      onForgotten: () => {
        if (sessions.get(key)?.session === session) sessions.delete(key);
        if (sessions.size === 0) whenEmpty.resolve();
      },
    });
    if (sessions.size === 0) whenEmpty = Promise.withResolvers();
    sessions.set(key, { id, session });
    return session;
  }

  async function openPort(port: number, id: string, session: RelaySession): Promise<TcpListener> {
    const { from, to } = options.ports;
    if (port < from || port > to)
      throw new RdvError("port_unavailable", `Port ${port} is outside this relay's range ${from}-${to}`);
    const holder = holders.get(port);
    if (holder && holder !== session) {
      if (!holder.idle) throw new RdvError("port_unavailable", `Port ${port} serves another session`);
      // The control plane leases a port to one session at a time, so the newer lease is right.
      holder.tell({ type: "rested" });
    }
    holders.set(port, session);
    try {
      const listener = await listenTcp({
        host: options.listenHost,
        port,
        onConnection: (socket) => plainClient(socket, id, session),
      });
      return releasing(listener, port, session);
    } catch (error) {
      releaseHold(port, session);
      throw error;
    }
  }

  function releasing(listener: TcpListener, port: number, session: RelaySession): TcpListener {
    return {
      ...listener,
      [Symbol.asyncDispose]: async () => {
        releaseHold(port, session);
        await listener[Symbol.asyncDispose]();
      },
    };
  }

  function releaseHold(port: number, session: RelaySession): void {
    if (holders.get(port) === session) holders.delete(port);
  }

  function plainClient(socket: Socket, id: string, session: RelaySession): void {
    const { metrics, note, linger, budget } = options;
    if (!budget.admit(socket)) return void socket.resetAndDestroy();
    metrics.accepted("session");
    const ip = socket.remoteAddress;
    if (ip === undefined) {
      metrics.unpaired("client", "gone");
      return void socket.destroy();
    }
    const outcome = refusal(ip, id, session);
    if (!outcome)
      return session.clientArrived(arrivalOf({ socket, head: Buffer.alloc(0), wantsContinue: false }, false));
    metrics.unpaired("client", outcome);
    note("relay: client not served", { session: id, outcome, peer: addressOf(socket) });
    linger.close(socket);
  }

  function refusal(ip: string, id: string, session: RelaySession): "not_allowed" | "too_many" | undefined {
    if (!session.allows(ip)) return "not_allowed";
    return isLoopback(ip) || mayConnect(`${id} ${sourceOf(ip)}`) ? undefined : "too_many";
  }

  return {
    half: (arrival, ticket) => sessionOf(ticket).halfArrived(arrivalOf(arrival, true), ticket),
    client(arrival, ticket) {
      if (!createAllowList(ticket.allow)(arrival.socket.remoteAddress ?? ""))
        throw new RdvError("forbidden", "The session's allow-list does not name your address");
      sessionOf(ticket).clientArrived(arrivalOf(arrival, true));
    },
    end(wanted) {
      for (const { id, session } of sessions.values()) if (id === wanted) session.tell({ type: "end" });
    },
    drain() {
      draining = true;
      for (const { session } of sessions.values()) session.tell({ type: "drain" });
    },
    cut() {
      draining = true;
      for (const { session } of sessions.values()) session.tell({ type: "cut" });
    },
    empty: async () => (sessions.size === 0 ? undefined : await whenEmpty.promise),
    counts() {
      const total = { sessions: sessions.size, halves: 0, clients: 0, pairs: 0 };
      for (const { session } of sessions.values()) {
        total.halves += session.counts.halves;
        total.clients += session.counts.clients;
        total.pairs += session.counts.pairs;
      }
      return total;
    },
  };
}

function arrivalOf(arrival: HttpArrival, http: boolean): Arrival {
  return { ...arrival, http, id: randomBytes(6).toString("hex"), address: addressOf(arrival.socket) };
}

function addressOf({ remoteAddress = "0.0.0.0", remotePort = 0 }: Socket): string {
  return hostPort(plainAddress(remoteAddress), remotePort);
}
