import type { Linger } from "../net/linger.ts";
import type { TcpListener } from "../net/listen.ts";
import type { LogFields } from "../net/log.ts";
import type { Pump } from "../net/pump.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { createAllowList } from "./allow-list.ts";
import type { AllowList } from "./allow-list.ts";
import type { Arrival } from "./arrival.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import { createLivePairs } from "./live-pairs.ts";
import type { MetricsRecorder } from "./metrics.ts";
import { emptyPairing } from "./pairing-state.ts";
import type { PairingEffect, PairingEvent, TicketTerms } from "./pairing-state.ts";
import { step } from "./pairing.ts";
import { createSessionLimits } from "./session-limits.ts";
import { createWaitingRoom } from "./waiting-room.ts";

/** What the sessions of one relay share. */
export interface SessionDeps {
  readonly pump: Pump;
  readonly linger: Linger;
  readonly budget: ConnectionBudget;
  readonly metrics: MetricsRecorder;
  /** For what happens once a connection. */
  readonly note: (message: string, fields: LogFields) => void;
  readonly clientWaitMs: number;
  readonly stickyMs: number;
  /** What lives when a session leaves for another relay may finish for this long. */
  readonly drainMs: number;
  readonly now: () => number;
}

interface SessionOptions extends SessionDeps {
  readonly session: string;
  /** Opens the session's port; what comes there is given to the session that asked. */
  readonly openPort: (port: number) => Promise<TcpListener>;
  /** The session is used up although its tickets live until then (seconds since 1970). */
  readonly onEnded: (expires: number) => void;
  readonly onForgotten: () => void;
  /** The byte budget is used up, and the session is over. */
  readonly onSpent: () => void;
  /** An invited machine is there now, or is there no more. */
  readonly onPresence: (present: boolean) => void;
}

/** One session on this relay: carries out what the pairing rules say. */
export interface RelaySession {
  halfArrived(arrival: Arrival, ticket: Ticket): void;
  /** `key` is the one that asked for its ticket. */
  clientArrived(arrival: Arrival, key?: string): void;
  /** A key is no more: its clients go. */
  endKey(key: string): void;
  /** Whether the newest ticket lets this address connect. */
  allows(ip: string): boolean;
  /** Counts one more client; false when the session has had enough of them, or of this source's, for this second. */
  mayConnect(source: string): boolean;
  /** The control plane sent a newer ticket. */
  policyChanged(ticket: Ticket): void;
  /** Says what happened to the session as a whole. */
  tell(event: Extract<PairingEvent, { type: "end" | "leave" | "drain" | "cut" | "rested" }>): void;
  /** Where and for whom it listens; undefined when it does not. */
  readonly place: { readonly port: number | null; readonly epoch: number } | undefined;
  /** No half waits and nothing is paired: the port may be given to another session. */
  readonly idle: boolean;
  /** An invited machine is there: clients can come, or are served. */
  readonly present: boolean;
  readonly counts: { readonly halves: number; readonly clients: number; readonly pairs: number };
}

/** Makes a session of which nothing is known yet; the first arrival brings it to life. */
export function createRelaySession(options: SessionOptions): RelaySession {
  const { note, session } = options;
  const room = createWaitingRoom({ ...options, dispatch });
  const pairs = createLivePairs({
    ...options,
    onEnded(pair) {
      keyed.delete(pair);
      dispatch({ type: "pair_closed", pair });
    },
  });
  const policy = createSessionLimits({
    now: options.now,
    bytes: () => pairs.bytes,
    onSpent() {
      note("relay: byte budget used up", { session });
      dispatch({ type: "spent" });
      options.onSpent();
    },
  });
  /** Clients that came with a key's ticket, waiting or paired, by their id. */
  const keyed = new Map<string, string>();
  const queue: PairingEvent[] = [];
  let state = emptyPairing;
  let listener: TcpListener | undefined;
  let rest: NodeJS.Timeout | undefined;
  let finish: NodeJS.Timeout | undefined;
  let busy = false;
  let invited = false;
  let present = false;

  /** Events that come while effects are carried out wait for their turn. */
  function dispatch(event: PairingEvent): void {
    queue.push(event);
    if (busy) return;
    busy = true;
    for (let next = queue.shift(); next; next = queue.shift()) {
      const result = step(state, next);
      state = result.state;
      for (const effect of result.effects) carryOut(effect);
    }
    busy = false;
    notePresence();
  }

  function notePresence(): void {
    const here = state.listening === "yes" && (state.halves.length > 0 || state.pairs.length > 0);
    if (!invited || here === present) return;
    present = here;
    options.onPresence(here);
  }

  function carryOut(effect: PairingEffect): void {
    switch (effect.type) {
      case "open_port":
        return void openPort(effect.port);
      case "close_port":
        return closePort();
      case "accept_half":
        return room.accept(effect.half);
      case "end_half":
        return room.end("agent", effect.half, effect.outcome, effect.code);
      case "end_client":
        keyed.delete(effect.client);
        return room.end("client", effect.client, effect.outcome, effect.code);
      case "tell_half":
        return void tellHalf(effect.pair, effect.half, effect.demand);
      case "end_untold": {
        const half = pairs.untold(effect.pair);
        return half && room.endTaken("agent", half, "gone", "unreachable");
      }
      case "join":
        return join(effect.pair);
      case "drop_pair":
        keyed.delete(effect.pair);
        return pairs.drop(effect.pair, room.take("client", effect.pair), effect.outcome);
      case "cut_pair":
        return pairs.cut(effect.pair, effect.outcome);
      case "start_rest":
        return startRest();
      case "stop_rest":
        return clearTimeout(rest);
      case "remember_ended":
        return options.onEnded(state.expires);
      case "forget":
        clearTimeout(finish);
        policy[Symbol.dispose]();
        return options.onForgotten();
    }
  }

  async function openPort(port: number): Promise<void> {
    try {
      const opened = await options.openPort(port);
      if (state.listening !== "opening" || state.port !== port) return void opened[Symbol.asyncDispose]();
      listener = opened;
      dispatch({ type: "port_opened", port });
    } catch (error) {
      note("relay: session port not opened", { session, port, error: (error as Error).message });
      dispatch({ type: "port_failed", port });
    }
  }

  function closePort(): void {
    void listener?.[Symbol.asyncDispose]();
    listener = undefined;
  }

  async function tellHalf(pair: string, halfId: string, demand: number): Promise<void> {
    const half = room.take("agent", halfId);
    const client = room.get("client", pair);
    if (!half || !client) throw new Error(`pair ${pair} of unknown connections`);
    const sent = await pairs.tell(pair, half, client.arrival, demand);
    dispatch({ type: sent ? "told" : "untold", pair });
  }

  function join(pair: string): void {
    const client = room.take("client", pair);
    if (!client) throw new Error(`join of unknown client ${pair}`);
    pairs.join(pair, client);
  }

  /** After the rules have seen it: theirs is the word on which ticket is the newest. */
  function takePolicy(ticket: Ticket, allows: AllowList): void {
    const { epoch, revision, expires } = termsOf(ticket);
    const isNewest = state.epoch === epoch && state.revision === revision && state.expires === expires;
    if (isNewest && !state.over) policy.take(ticket, allows);
  }

  function startRest(): void {
    const untilExpiry = Math.max(0, state.expires * 1_000 - options.now());
    rest = setTimeout(() => dispatch({ type: "rested" }), Math.min(options.stickyMs, untilExpiry));
  }

  /** The session may come back meanwhile, so only what lives now is cut then. */
  function startFinish(): void {
    const leaving = state.pairs.map(({ id }) => id);
    clearTimeout(finish);
    if (leaving.length === 0) return;
    finish = setTimeout(() => {
      for (const pair of leaving) pairs.cut(pair, "cut");
    }, options.drainMs);
  }

  return {
    halfArrived(arrival, ticket) {
      // First of all: a list that cannot be read must refuse the half, not leave the session open to everybody.
      const allows = createAllowList(ticket.allow);
      invited ||= ticket.invited ?? false;
      room.addHalf(arrival);
      dispatch({ type: "half_arrived", half: arrival.id, ...termsOf(ticket) });
      takePolicy(ticket, allows);
    },
    policyChanged(ticket) {
      const allows = createAllowList(ticket.allow);
      dispatch({ type: "policy_changed", ...termsOf(ticket) });
      takePolicy(ticket, allows);
    },
    clientArrived(arrival, key) {
      if (key !== undefined) keyed.set(arrival.id, key);
      room.addClient(arrival);
      dispatch({ type: "client_arrived", client: arrival.id, source: arrival.source });
    },
    endKey(key) {
      const clients = [...keyed].filter(([, one]) => one === key);
      for (const [client] of clients) dispatch({ type: "client_expelled", client });
    },
    allows: (ip) => policy.allows(ip),
    mayConnect: (source) => policy.mayConnect(source),
    tell(event) {
      if (event.type === "leave") startFinish();
      dispatch(event);
    },
    get place() {
      return state.listening === "yes" ? { port: state.port, epoch: state.epoch } : undefined;
    },
    get idle() {
      return room.count("agent") === 0 && pairs.count === 0;
    },
    get present() {
      return present;
    },
    get counts() {
      return { halves: room.count("agent"), clients: room.count("client"), pairs: pairs.count };
    },
  };
}

function termsOf({ epoch, revision = 0, expires, clientPort: port, once, pairs }: Ticket): TicketTerms {
  return { epoch, revision, expires, port, once, pairs };
}
