import type { Socket } from "node:net";
import { listenTcp } from "../net/listen.ts";
import type { TcpListener } from "../net/listen.ts";
import type { LogFields } from "../net/log.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { sourceOf } from "../protocol/source-address.ts";
import { createAllowList } from "./allow-list.ts";
import { addressOf } from "./arrival.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import type { MetricsRecorder } from "./metrics.ts";

interface RawPortsDeps {
  readonly listenHost: string;
  /** Ports that sessions may have, both ends included. */
  readonly ports: { readonly from: number; readonly to: number };
  readonly budget: ConnectionBudget;
  readonly metrics: MetricsRecorder;
  readonly note: (message: string, fields: LogFields) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Takes a connection as a half of the ticket's session; it says nothing and hears nothing before its pair. */
  readonly onHalf: (socket: Socket, ticket: Ticket) => void;
}

/** Ports on which whoever connects is a session's agent: for programs that can dial out and nothing else. */
export interface RawPorts {
  /** Opens the ticket's raw port until the ticket expires; a port that is open for this session stays as it is. */
  open(ticket: Ticket): Promise<void>;
  close(session: string): void;
  closeAll(): void;
}

interface RawPort {
  readonly port: number;
  listener?: TcpListener;
  /** Gives the listener's place in the budget back. */
  letGo?: () => void;
  readonly timer: NodeJS.Timeout;
}

/** Makes the table of a relay's raw ports, one a session at most. */
export function createRawPorts(deps: RawPortsDeps): RawPorts {
  const open = new Map<string, RawPort>();

  function close(session: string): void {
    const raw = open.get(session);
    open.delete(session);
    clearTimeout(raw?.timer);
    raw?.letGo?.();
    void raw?.listener?.[Symbol.asyncDispose]();
  }

  async function listen(ticket: Ticket, port: number, mayEnter: (ip: string) => boolean): Promise<void> {
    const { session, expires } = ticket;
    const timer = setTimeout(() => close(session), Math.max(0, expires * 1_000 - deps.now()));
    const raw: RawPort = { port, timer };
    open.set(session, raw);
    const onConnection = (socket: Socket): void => enter(socket, ticket, mayEnter, deps);
    try {
      raw.letGo = deps.budget.hold(ticket.owner);
      const listener = await listenTcp({ host: deps.listenHost, port, onConnection });
      if (open.get(session) === raw) raw.listener = listener;
      else await listener[Symbol.asyncDispose]();
    } catch (error) {
      deps.note("relay: raw port not opened", { session, port, error: (error as Error).message }); // listenTcp throws RdvError
      if (open.get(session) === raw) close(session);
    }
  }

  return {
    async open(ticket) {
      const { raw, session } = ticket;
      const { from, to } = deps.ports;
      if (!raw || raw.port < from || raw.port > to || open.get(session)?.port === raw.port) return;
      close(session);
      await listen(ticket, raw.port, createDoor(raw.from));
    },
    close,
    closeAll: () => {
      for (const session of open.keys()) close(session);
    },
  };
}

/** Lets in one address range or, when there is none, the source that comes first and from then on nobody else. */
function createDoor(from: string | null): (ip: string) => boolean {
  if (from !== null) return createAllowList([from]);
  let first: string | undefined;
  return (ip) => sourceOf(ip) === (first ??= sourceOf(ip));
}

function enter(
  socket: Socket,
  ticket: Ticket,
  mayEnter: (ip: string) => boolean,
  { budget, metrics, note, onHalf }: RawPortsDeps,
): void {
  if (!budget.admit(socket)) return;
  metrics.accepted("session");
  const ip = socket.remoteAddress;
  if (ip !== undefined && mayEnter(ip) && budget.keep(socket, ticket.owner)) return onHalf(socket, ticket);
  metrics.unpaired("agent", ip === undefined ? "gone" : "not_allowed");
  note("relay: raw half not taken", { session: ticket.session, peer: addressOf(socket) });
  socket.resetAndDestroy();
}
