import type { Socket } from "node:net";
import { RdvError } from "../protocol/errors.ts";
import type { EndedSession, OpenSession, RelaySignal } from "../protocol/signals.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { createAllowList } from "./allow-list.ts";
import type { AllowList } from "./allow-list.ts";
import { arrivalOf } from "./arrival.ts";
import type { Connection } from "./arrival.ts";
import { createClientDoor, letsIn } from "./client-door.ts";
import { createRawPorts } from "./raw-ports.ts";
import { createSessionPorts } from "./session-ports.ts";
import { createRelaySession } from "./session.ts";
import type { RelaySession, SessionDeps } from "./session.ts";

interface SessionsOptions extends SessionDeps {
  readonly listenHost: string;
  /** Ports that sessions may have, both ends included. */
  readonly ports: { readonly from: number; readonly to: number };
  /** A session is over although its tickets still live. */
  readonly onEnded: (ended: EndedSession) => void;
  readonly onSpent: (spent: Spent) => void;
  readonly onPresence: (presence: Presence) => void;
}

/** Whether the machine that was invited to a session is there. */
type Presence = Extract<RelaySignal, { type: "presence" }>;

/** A session has used up its bytes. */
type Spent = Extract<RelaySignal, { type: "spent" }>;

/** All sessions of a relay. */
export interface Sessions {
  /** Takes an agent's half. Throws `draining`. */
  half(connection: Connection, ticket: Ticket): void;
  /** Takes a client with a ticket. Throws `draining` or `forbidden`. */
  client(connection: Connection, ticket: Ticket): void;
  /** A newer ticket of a session: its policy holds from now on, if the session is here. */
  policyChanged(ticket: Ticket): void;
  /** Opens the ticket's raw port, if it has one. Throws `draining`. */
  openRaw(ticket: Ticket): Promise<void>;
  /** Ends a session now: its port, its halves, its pairs. */
  end(session: string): void;
  /** A key is no more: turns away the clients that wait with its tickets, and cuts those that are served. */
  endKey(key: string): void;
  /** The session is elsewhere: its port and its waiting halves are closed, its pairs go on. */
  leave(session: string): void;
  /** Every session that can be reached here now. */
  open(): OpenSession[];
  /** Takes nothing new; pairs go on. */
  drain(): void;
  /** Cuts all that is left. */
  cut(): void;
  /** Resolves when no session is left. */
  empty(): Promise<void>;
  /** Every invited machine that is there now. */
  present(): Presence[];
  counts(): {
    readonly sessions: number;
    readonly halves: number;
    readonly clients: number;
    readonly pairs: number;
  };
}

/** Makes the table of a relay's sessions; a session is looked up by owner and id, never by id alone. */
export function createSessions(options: SessionsOptions): Sessions {
  const sessions = new Map<
    string,
    { readonly id: string; readonly owner: string; readonly session: RelaySession }
  >();
  const ports = createSessionPorts(options);
  const enter = createClientDoor(options);
  const raws = createRawPorts({ ...options, onHalf: takeRaw });
  let draining = false;
  let whenEmpty = Promise.withResolvers<void>();

  function refuseIfDraining(): void {
    if (draining)
      throw new RdvError("draining", "This relay is stopping; ask the control plane for another one");
  }

  function sessionOf({ owner, session: id }: Ticket): RelaySession {
    refuseIfDraining();
    const key = `${owner}/${id}`;
    const known = sessions.get(key)?.session;
    if (known) return known;
    if (sessions.size === 0) whenEmpty = Promise.withResolvers();
    const session: RelaySession = createRelaySession({
      ...options,
      session: id,
      openPort: async (port) => ports.open(port, session, owner, (socket) => enter(socket, id, session)),
      onEnded: (until) => options.onEnded({ session: id, until }),
      onForgotten: () => forget(key, session),
      onSpent: () => options.onSpent({ type: "spent", session: id, owner }),
      onPresence: (present) => options.onPresence({ type: "presence", session: id, owner, present }),
    });
    sessions.set(key, { id, owner, session });
    return session;
  }

  function takeRaw(socket: Socket, ticket: Ticket): void {
    if (draining) return void socket.resetAndDestroy();
    const connection = { socket, head: Buffer.alloc(0), wantsContinue: false };
    sessionOf(ticket).halfArrived(arrivalOf(connection, false), ticket);
  }

  function forget(key: string, session: RelaySession): void {
    if (sessions.get(key)?.session === session) sessions.delete(key);
    if (sessions.size === 0) whenEmpty.resolve();
  }

  function tellAll(type: "drain" | "cut"): void {
    draining = true;
    raws.closeAll();
    for (const { session } of sessions.values()) session.tell({ type });
  }

  return {
    half: (connection, ticket) => sessionOf(ticket).halfArrived(arrivalOf(connection, true), ticket),
    client(connection, ticket) {
      const check = (allows: AllowList): void => {
        if (!letsIn(allows, connection.socket))
          throw new RdvError("forbidden", "The session's allow-list does not name your address");
      };
      check(createAllowList(ticket.allow));
      const session = sessionOf(ticket);
      // The list may have changed since the ticket was made.
      check((from) => session.allows(from));
      session.clientArrived(arrivalOf(connection, true), ticket.key);
    },
    policyChanged: (ticket) =>
      sessions.get(`${ticket.owner}/${ticket.session}`)?.session.policyChanged(ticket),
    async openRaw(ticket) {
      refuseIfDraining();
      await raws.open(ticket);
    },
    end(wanted) {
      raws.close(wanted);
      for (const { id, session } of sessions.values()) if (id === wanted) session.tell({ type: "end" });
    },
    endKey(key) {
      for (const { session } of sessions.values()) session.endKey(key);
    },
    leave(wanted) {
      raws.close(wanted);
      for (const { id, session } of sessions.values()) if (id === wanted) session.tell({ type: "leave" });
    },
    open: () =>
      [...sessions.values()].flatMap(({ id, owner, session: { place } }) =>
        place ? [{ session: id, owner, ...place }] : [],
      ),
    drain: () => tellAll("drain"),
    cut: () => tellAll("cut"),
    empty: async () => (sessions.size === 0 ? undefined : await whenEmpty.promise),
    present: () =>
      [...sessions.values()]
        .filter(({ session }) => session.present)
        .map(({ id, owner }) => ({ type: "presence", session: id, owner, present: true })),
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
