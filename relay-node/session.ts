import type { Joined, Leg, Pump } from "../net/pump.ts";
import type { Linger } from "../net/linger.ts";
import type { LogFields } from "../net/log.ts";
import type { TcpListener } from "../net/listen.ts";
import { RdvError } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { formatPaired, waitingAnswer } from "../protocol/handshake.ts";
import { limits } from "../protocol/limits.ts";
import type { HalfOutcome, PairOutcome } from "../protocol/outcomes.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { createAllowList } from "./addresses.ts";
import type { Arrival } from "./arrival.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import { formatRefusal } from "./http-answer.ts";
import type { MetricsRecorder, Side } from "./metrics.ts";
import { toPairOutcome, writeAll } from "./pair-io.ts";
import { emptyPairing, step } from "./pairing.ts";
import type { PairingEffect, PairingEvent } from "./pairing.ts";
import { watchWaiting } from "./waiting-socket.ts";
import type { WaitingSocket } from "./waiting-socket.ts";

/** What sessions of one relay share. */
export interface SessionDeps {
  readonly pump: Pump;
  readonly linger: Linger;
  readonly budget: ConnectionBudget;
  readonly metrics: MetricsRecorder;
  /** For what happens once a connection. */
  readonly note: (message: string, fields: LogFields) => void;
  readonly clientWaitMs: number;
  readonly stickyMs: number;
  readonly now: () => number;
}

interface SessionOptions extends SessionDeps {
  readonly session: string;
  /** Opens the session's port; what comes there is given to the session that asked. */
  readonly openPort: (port: number) => Promise<TcpListener>;
  readonly onEnded: (expires: number) => void;
  readonly onForgotten: () => void;
}

/** One session on this relay: carries out what the pairing rules say. */
export interface RelaySession {
  halfArrived(arrival: Arrival, ticket: Ticket): void;
  clientArrived(arrival: Arrival): void;
  /** Whether the newest ticket lets this address connect. */
  allows(ip: string): boolean;
  /** Says what happened to the session as a whole. */
  tell(event: Extract<PairingEvent, { type: "end" | "drain" | "cut" | "rested" }>): void;
  /** Nobody waits and nothing is paired: the port may be given to another session. */
  readonly idle: boolean;
  readonly counts: { readonly halves: number; readonly clients: number; readonly pairs: number };
}

interface Waiting {
  readonly arrival: Arrival;
  readonly watch: WaitingSocket;
  readonly timer?: NodeJS.Timeout;
}

/** A half that was told of its client, and then the pair. */
interface Pairing {
  readonly half: Arrival;
  readonly leg: Leg;
  joined?: Joined;
  cut: boolean;
}

/** Makes a session of which nothing is known yet; the first arrival brings it to life. */
export function createRelaySession(options: SessionOptions): RelaySession {
  const { metrics, linger, note, session } = options;
  const halves = new Map<string, Waiting>();
  const clients = new Map<string, Waiting>();
  const pairs = new Map<string, Pairing>();
  const queue: PairingEvent[] = [];
  let state = emptyPairing;
  let allows = createAllowList([]);
  let listener: TcpListener | undefined;
  let rest: NodeJS.Timeout | undefined;
  let busy = false;

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
  }

  function carryOut(effect: PairingEffect): void {
    switch (effect.type) {
      case "open_port":
        return void openPort(effect.port);
      case "close_port":
        return closePort();
      case "accept_half":
        return acceptHalf(effect.half);
      case "end_half":
        return endWaiting("agent", effect.half, effect.outcome, effect.code);
      case "end_client":
        return endWaiting("client", effect.client, effect.outcome, effect.code);
      case "tell_half":
        return tellHalf(effect.pair, effect.half, effect.demand);
      case "join":
        return void join(effect.pair);
      case "drop_pair":
        return dropPair(effect.pair, effect.outcome);
      case "cut_pair":
        return cutPair(effect.pair);
      case "start_rest":
        return startRest();
      case "stop_rest":
        return clearTimeout(rest);
      case "remember_ended":
        return options.onEnded(state.expires);
      case "forget":
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

  function acceptHalf(id: string): void {
    const half = halves.get(id);
    if (half?.arrival.wantsContinue) half.arrival.socket.write(waitingAnswer);
  }

  function endWaiting(side: Side, id: string, outcome: HalfOutcome, code: ErrorCode): void {
    const arrival = forget(side, id) ?? pairs.get(id)?.half;
    if (!arrival) return;
    metrics.unpaired(side, outcome);
    if (outcome !== "gone") note(`relay: ${side} not served`, { session, outcome, peer: arrival.address });
    close(arrival, outcome, code);
  }

  /** Takes a connection from those that wait; a half that is being told is among the pairs. */
  function forget(side: Side, id: string): Arrival | undefined {
    const waiting = side === "agent" ? halves : clients;
    const found = waiting.get(id);
    waiting.delete(id);
    found?.watch.release();
    clearInterval(found?.timer);
    if (found || side === "client") return found?.arrival;
    for (const [pair, { half }] of pairs)
      if (half.id === id) {
        pairs.delete(pair);
        return half;
      }
    return undefined;
  }

  function close({ socket, http }: Arrival, outcome: HalfOutcome, code: ErrorCode): void {
    if (outcome === "gone") return void socket.destroy();
    if (!http) return linger.close(socket);
    metrics.refused(code);
    linger.close(socket, formatRefusal(new RdvError(code)));
  }

  function tellHalf(pair: string, halfId: string, demand: number): void {
    const half = halves.get(halfId);
    const client = clients.get(pair);
    if (!half || !client) throw new Error(`pair ${pair} of unknown connections`);
    halves.delete(halfId);
    const leg = half.watch.take();
    pairs.set(pair, { half: half.arrival, leg, cut: false });
    const head = formatPaired({ pair, client: client.arrival.address, demand });
    void writeAll(half.arrival.socket, head).then((sent) =>
      dispatch({ type: sent ? "told" : "untold", pair }),
    );
  }

  async function join(id: string): Promise<void> {
    const pair = pairs.get(id);
    const client = clients.get(id);
    if (!pair || !client) throw new Error(`join of unknown pair ${id}`);
    const end = beginPair(id, pair, client.arrival);
    clients.delete(id);
    clearInterval(client.timer);
    const leg = client.watch.take();
    const { http, address, socket } = client.arrival;
    if (http && !(await writeAll(socket, formatPaired({ pair: id, client: address, demand: 0 }))))
      return end(resetBoth(pair, socket, "reset_by_client"));
    if (pair.cut) return end(resetBoth(pair, socket, "cut"));
    pair.joined = options.pump.join(leg, pair.leg);
    end(toPairOutcome((await pair.joined.done).outcome));
  }

  /** From here on the pair counts; the result ends it. */
  function beginPair(id: string, pair: Pairing, client: Arrival): (outcome: PairOutcome) => void {
    const counts = () => pair.joined?.counts() ?? { aToB: 0, bToA: 0 };
    const ended = metrics.paired(counts);
    const releases = [options.budget.handOver(client.socket), options.budget.handOver(pair.half.socket)];
    return (outcome) => {
      ended(outcome);
      for (const release of releases) release();
      pairs.delete(id);
      dispatch({ type: "pair_closed", pair: id });
    };
  }

  function resetBoth({ half }: Pairing, client: Arrival["socket"], outcome: PairOutcome): PairOutcome {
    half.socket.resetAndDestroy();
    client.resetAndDestroy();
    return outcome;
  }

  function dropPair(id: string, outcome: "reset_by_client" | "cut"): void {
    const pair = pairs.get(id);
    const client = forget("client", id);
    pairs.delete(id);
    client?.socket.resetAndDestroy();
    pair?.half.socket.resetAndDestroy();
    metrics.paired(() => ({ aToB: 0, bToA: 0 }))(outcome);
  }

  function cutPair(id: string): void {
    const pair = pairs.get(id);
    if (!pair) return;
    pair.cut = true;
    pair.joined?.cut();
  }

  function startRest(): void {
    const untilExpiry = Math.max(0, state.expires * 1_000 - options.now());
    rest = setTimeout(() => dispatch({ type: "rested" }), Math.min(options.stickyMs, untilExpiry));
  }

  return {
    halfArrived(arrival, ticket) {
      const { id: half, socket } = arrival;
      const gone = (outcome: "gone" | "protocol_error") => () =>
        dispatch({ type: "half_gone", half, outcome });
      const watch = watchWaiting({
        socket,
        earlyBytes: 0,
        onGone: gone("gone"),
        onTooEarly: gone("protocol_error"),
      });
      halves.set(half, { arrival, watch });
      const { epoch, expires, clientPort: port, once, pairs: pairsLimit } = ticket;
      dispatch({ type: "half_arrived", half, epoch, expires, port, once, pairs: pairsLimit });
      if (state.epoch === epoch && state.expires === expires) allows = createAllowList(ticket.allow);
    },
    clientArrived(arrival) {
      const { id: client, socket, head } = arrival;
      const watch = watchWaiting({
        socket,
        head,
        earlyBytes: limits.earlyBytes,
        onGone: () => dispatch({ type: "client_gone", client }),
      });
      // Repeated, because a client may be given back to the queue after its time came while it was being paired.
      const timer = setInterval(() => dispatch({ type: "client_waited", client }), options.clientWaitMs);
      clients.set(client, { arrival, watch, timer });
      if (arrival.wantsContinue) socket.write(waitingAnswer);
      dispatch({ type: "client_arrived", client });
    },
    allows: (ip) => allows(ip),
    tell: dispatch,
    get idle() {
      return halves.size === 0 && pairs.size === 0;
    },
    get counts() {
      return { halves: halves.size, clients: clients.size, pairs: pairs.size };
    },
  };
}
