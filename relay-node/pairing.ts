import type { ErrorCode } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { HalfOutcome } from "../protocol/outcomes.ts";
import { hasRoom } from "../protocol/shares.ts";
import { givesWay } from "./gives-way.ts";
import type {
  LivePair,
  PairingEffect,
  PairingEvent,
  PairingState,
  Step,
  TicketTerms,
  ToldPair,
  WaitingClient,
} from "./pairing-state.ts";

/**
 * The rules by which the halves and clients of one session meet, without any I/O: gives the next state, and the effects
 * to carry out in order. Events about things that are no longer there change nothing.
 */
export function step(before: PairingState, event: PairingEvent): Step {
  const effects: PairingEffect[] = [];
  const acted = act(before, event, effects);
  const matched = match(acted, effects);
  return { state: settle(matched, effects), effects };
}

function act(state: PairingState, event: PairingEvent, effects: PairingEffect[]): PairingState {
  switch (event.type) {
    case "half_arrived":
      return halfArrived(state, event, effects);
    case "half_gone":
      return halfGone(state, event.half, event.outcome, effects);
    case "client_arrived":
      return clientArrived(state, { id: event.client, source: event.source }, effects);
    case "client_gone":
      return clientGone(state, event.client, effects);
    case "client_expelled":
      return clientExpelled(state, event.client, effects);
    case "client_waited":
      return clientWaited(state, event.client, effects);
    case "told":
      return told(state, event.pair, effects);
    case "untold":
      return untold(state, event.pair, effects);
    case "pair_closed":
      return pairClosed(state, event.pair);
    case "port_opened":
      return portOpened(state, event.port, effects);
    case "port_failed":
      return portFailed(state, event.port, effects);
    case "policy_changed":
      return policyChanged(state, event, effects);
    case "spent":
      if (state.over === "ended") return state;
      effects.push({ type: "remember_ended" });
      return cutPairs(closeDoors(state, "ended", effects), effects, "budget_used");
    case "end":
      return cutPairs(closeDoors(state, "ended", effects), effects);
    case "leave":
      return state.over ? state : { ...closeDoors(state, "draining", effects), over: undefined };
    case "drain":
      return state.over ? state : closeDoors(state, "draining", effects);
    case "cut":
      return cutPairs(closeDoors(state, state.over ?? "draining", effects), effects);
    case "rested":
      break;
  }
  return state.resting ? rested(state, effects) : state;
}

function halfArrived(
  before: PairingState,
  event: Extract<PairingEvent, { type: "half_arrived" }>,
  effects: PairingEffect[],
): PairingState {
  const refuse = (outcome: HalfOutcome & ErrorCode): PairingState => {
    effects.push({ type: "end_half", half: event.half, outcome, code: outcome });
    return before;
  };
  if (before.over) return refuse(before.over);
  if (event.epoch < before.epoch) return refuse("replaced");
  const newest = isNewest(before, event);
  // An older ticket of the same agent may name a port that the session has left.
  if (!newest && event.port !== before.port) return refuse("replaced");
  const state = event.epoch > before.epoch ? newEpoch(before, event.epoch, effects) : before;
  if (state.halves.length >= limits.halvesWaiting) return refuse("full");
  const moved = newest ? takePolicy(state, event, effects) : state;
  const halves = [...moved.halves, { id: event.half, epoch: event.epoch, accepted: false }];
  if (moved.port === null || moved.listening === "yes") return acceptHalves({ ...moved, halves }, effects);
  if (moved.listening === "opening") return { ...moved, halves };
  effects.push({ type: "open_port", port: moved.port });
  return { ...moved, halves, listening: "opening" };
}

/** Clients can come: every half that was not told yet waits from now on. */
function acceptHalves(state: PairingState, effects: PairingEffect[]): PairingState {
  for (const { id, accepted } of state.halves) if (!accepted) effects.push({ type: "accept_half", half: id });
  return { ...state, listening: "yes", halves: state.halves.map((half) => ({ ...half, accepted: true })) };
}

function isNewest(state: PairingState, { epoch, revision, expires }: TicketTerms): boolean {
  if (epoch !== state.epoch) return epoch > state.epoch;
  return revision === state.revision ? expires >= state.expires : revision > state.revision;
}

/** Another epoch or port comes with the agent's next half, not this way; the end of the port does. */
function policyChanged(
  state: PairingState,
  event: Extract<PairingEvent, { type: "policy_changed" }>,
  effects: PairingEffect[],
): PairingState {
  const isOurs = event.epoch === state.epoch && (event.port === state.port || event.port === null);
  if (!isOurs || !isNewest(state, event)) return state;
  const changed = takePolicy(state, event, effects);
  const goesOn = changed.listening !== state.listening;
  return goesOn ? acceptHalves(changed, effects) : changed;
}

/** A newer agent: the halves of the older one are told to go; its living pairs stay. */
function newEpoch(state: PairingState, epoch: number, effects: PairingEffect[]): PairingState {
  for (const { id } of state.halves)
    effects.push({ type: "end_half", half: id, outcome: "replaced", code: "replaced" });
  return { ...state, epoch, revision: 0, expires: 0, halves: [] };
}

function takePolicy(
  state: PairingState,
  { port, revision, expires, once, pairs }: TicketTerms,
  effects: PairingEffect[],
): PairingState {
  const next = { ...state, revision, expires, once, pairsLimit: pairs };
  return port === state.port ? next : { ...closePort(next, effects), port };
}

function halfGone(
  state: PairingState,
  half: string,
  outcome: "gone" | "protocol_error",
  effects: PairingEffect[],
): PairingState {
  if (!state.halves.some(({ id }) => id === half)) return state;
  effects.push({ type: "end_half", half, outcome, code: "bad_request" });
  return { ...state, halves: state.halves.filter(({ id }) => id !== half) };
}

function clientArrived(before: PairingState, client: WaitingClient, effects: PairingEffect[]): PairingState {
  const state = before.clients.length < limits.clientsWaiting ? before : makeRoom(before, client, effects);
  const reason = state.over ?? (state.clients.length >= limits.clientsWaiting ? "full" : undefined);
  if (!reason) return { ...state, clients: [...state.clients, client] };
  effects.push({ type: "end_client", client: client.id, outcome: reason, code: reason });
  return state;
}

/** The source of which most clients wait loses its oldest to one of which fewer do. */
function makeRoom(state: PairingState, { source }: WaitingClient, effects: PairingEffect[]): PairingState {
  const oldest = givesWay(state.clients, source);
  return oldest ? endClient(state, oldest.id, "full", "full", effects) : state;
}

function clientGone(state: PairingState, client: string, effects: PairingEffect[]): PairingState {
  if (isWaiting(state, client)) return endClient(state, client, "gone", "unreachable", effects);
  const pair = findTold(state, client);
  return pair ? replacePair(state, pair, { ...pair, clientGone: true }) : state;
}

function clientExpelled(state: PairingState, client: string, effects: PairingEffect[]): PairingState {
  if (state.clients.some(({ id }) => id === client))
    return endClient(state, client, "ended", "ticket_invalid", effects);
  if (state.pairs.some(({ id }) => id === client))
    effects.push({ type: "cut_pair", pair: client, outcome: "cut" });
  return state;
}

function clientWaited(state: PairingState, client: string, effects: PairingEffect[]): PairingState {
  const waiting = state.clients.find(({ id }) => id === client);
  if (!waiting) return state;
  const reason = mayPair(state, waiting) ? "no_agent" : "full";
  return endClient(state, client, reason, reason, effects);
}

function endClient(
  state: PairingState,
  client: string,
  outcome: HalfOutcome,
  code: ErrorCode,
  effects: PairingEffect[],
): PairingState {
  effects.push({ type: "end_client", client, outcome, code });
  return { ...state, clients: state.clients.filter(({ id }) => id !== client) };
}

function isWaiting(state: PairingState, client: string): boolean {
  return state.clients.some(({ id }) => id === client);
}

function told(state: PairingState, id: string, effects: PairingEffect[]): PairingState {
  const pair = findTold(state, id);
  if (!pair) return state;
  if (pair.clientGone || state.over === "ended") {
    const outcome = pair.clientGone ? "reset_by_client" : "cut";
    effects.push({ type: "drop_pair", pair: id, half: pair.half, outcome });
    return replacePair(state, pair);
  }
  effects.push({ type: "join", pair: id, half: pair.half });
  const next = replacePair(state, pair, { stage: "joined", id, source: pair.source });
  if (!state.once) return next;
  effects.push({ type: "remember_ended" });
  return state.over ? next : closeDoors(next, "ended", effects);
}

/** The half was lost between match and 101: its client goes back to the head of the queue. */
function untold(state: PairingState, id: string, effects: PairingEffect[]): PairingState {
  const pair = findTold(state, id);
  if (!pair) return state;
  effects.push({ type: "end_untold", pair: id, half: pair.half });
  const next = { ...replacePair(state, pair), clients: [{ id, source: pair.source }, ...state.clients] };
  if (pair.clientGone) return endClient(next, id, "gone", "unreachable", effects);
  return state.over ? endClient(next, id, state.over, state.over, effects) : next;
}

function pairClosed(state: PairingState, id: string): PairingState {
  const pair = state.pairs.find((one) => one.id === id);
  return pair ? replacePair(state, pair) : state;
}

/** The newest pairs are the ones that are being told. */
function findTold(state: PairingState, id: string): ToldPair | undefined {
  const pair = state.pairs.findLast((one) => one.id === id);
  return pair?.stage === "telling" ? pair : undefined;
}

function replacePair(state: PairingState, pair: LivePair, ...by: readonly LivePair[]): PairingState {
  return { ...state, pairs: state.pairs.toSpliced(state.pairs.indexOf(pair), 1, ...by) };
}

function portOpened(state: PairingState, port: number, effects: PairingEffect[]): PairingState {
  if (port !== state.port || state.listening !== "opening") return state;
  return acceptHalves(state, effects);
}

function portFailed(state: PairingState, port: number, effects: PairingEffect[]): PairingState {
  if (port !== state.port || state.listening !== "opening") return state;
  for (const { id, accepted } of state.halves)
    if (!accepted) effects.push({ type: "end_half", half: id, outcome: "refused", code: "port_unavailable" });
  return { ...state, listening: "no", halves: state.halves.filter(({ accepted }) => accepted) };
}

/** Nothing new is taken, and who waits is told why. Pairs stay. */
function closeDoors(state: PairingState, over: "ended" | "draining", effects: PairingEffect[]): PairingState {
  for (const { id } of state.halves) effects.push({ type: "end_half", half: id, outcome: over, code: over });
  for (const { id } of state.clients)
    effects.push({ type: "end_client", client: id, outcome: over, code: over });
  return { ...closePort(state, effects), over, halves: [], clients: [] };
}

function cutPairs(
  state: PairingState,
  effects: PairingEffect[],
  outcome: "cut" | "budget_used" = "cut",
): PairingState {
  for (const { id, stage } of state.pairs)
    if (stage === "joined") effects.push({ type: "cut_pair", pair: id, outcome });
  // A pair that is being told is dropped at `told`, which looks at `over`.
  return { ...state, over: "ended" };
}

function closePort(state: PairingState, effects: PairingEffect[]): PairingState {
  if (state.listening !== "no" && state.port !== null) effects.push({ type: "close_port", port: state.port });
  return { ...state, listening: "no" };
}

function rested(state: PairingState, effects: PairingEffect[]): PairingState {
  for (const { id } of state.clients)
    effects.push({ type: "end_client", client: id, outcome: "no_agent", code: "no_agent" });
  return { ...closePort(state, effects), clients: [] };
}

/** A session that is over after its first pair has room for exactly one. */
function pairsAllowed(state: PairingState): number {
  return state.once ? 1 : state.pairsLimit;
}

/** Whether there is room for one more pair, and this client's source has not its share of them. */
function mayPair(state: PairingState, { source }: WaitingClient): boolean {
  const held = state.pairs.length;
  const free = pairsAllowed(state) - held;
  // While few pairs live nobody can have his share, and nothing has to be counted.
  if (hasRoom(held, free, limits.pairGreed)) return true;
  const own = state.pairs.reduce((sum, pair) => (pair.source === source ? sum + 1 : sum), 0);
  return hasRoom(own, free, limits.pairGreed);
}

function match(before: PairingState, effects: PairingEffect[]): PairingState {
  let state = before;
  while (!state.over && state.pairs.length < pairsAllowed(state)) {
    const now = state;
    const client = now.clients.find((one) => mayPair(now, one));
    // The newest half is the one most likely to be alive: what died without a word is old.
    const half = state.halves.findLast(({ accepted }) => accepted);
    if (client === undefined || !half) break;
    const clients = now.clients.filter((one) => one !== client);
    effects.push({ type: "tell_half", pair: client.id, half: half.id, demand: clients.length });
    const pair: ToldPair = { stage: "telling", ...client, half: half.id, clientGone: false };
    state = {
      ...state,
      clients,
      halves: state.halves.filter((one) => one !== half),
      pairs: [...state.pairs, pair],
    };
  }
  return state;
}

/** Starts and stops the port's rest, and lets go of a session of which nothing is left. */
function settle(state: PairingState, effects: PairingEffect[]): PairingState {
  const idle = state.halves.length === 0 && state.pairs.length === 0;
  const resting = idle && !state.over && state.listening === "yes";
  if (resting !== state.resting) effects.push({ type: resting ? "start_rest" : "stop_rest" });
  if (idle && state.clients.length === 0 && state.listening === "no") effects.push({ type: "forget" });
  return { ...state, resting };
}
