import { givesWay } from "./gives-way.ts";

/**
 * The rules by which the connections of two listeners meet, without any I/O. First come, first served, but a
 * connection that still speaks goes before one whose peer has said all and only listens: the former may be a live
 * person, the latter may have left without a sign.
 */
export interface RendezvousState {
  readonly a: readonly RendezvousHalf[];
  readonly b: readonly RendezvousHalf[];
  /** No more pairs are made. */
  readonly served: boolean;
}

export type RendezvousSide = "a" | "b";

interface RendezvousHalf {
  readonly id: string;
  /** What its address counts as: see `sourceOf`. */
  readonly source: string;
  readonly finished: boolean;
}

export type RendezvousEvent =
  | {
      readonly type: "arrived";
      readonly side: RendezvousSide;
      readonly id: string;
      readonly source: string;
    }
  /** Its peer sent bytes and FIN. */
  | { readonly type: "finished"; readonly side: RendezvousSide; readonly id: string }
  | { readonly type: "gone"; readonly side: RendezvousSide; readonly id: string }
  /** Its peer had finished and was left alone too long. */
  | { readonly type: "expired"; readonly side: RendezvousSide; readonly id: string };

export type RendezvousEffect =
  | { readonly type: "join"; readonly a: string; readonly b: string }
  | { readonly type: "close"; readonly id: string; readonly reason: "gone" | "full" | "served" | "expired" };

export interface RendezvousRules {
  /** Only one pair is made. */
  readonly once: boolean;
  /** Connections that wait at once on one side. */
  readonly maxWaiting: number;
}

export const emptyRendezvous: RendezvousState = { a: [], b: [], served: false };

/** One step; events about connections that no longer wait change nothing. */
export function stepRendezvous(
  state: RendezvousState,
  event: RendezvousEvent,
  rules: RendezvousRules,
): { readonly state: RendezvousState; readonly effects: readonly RendezvousEffect[] } {
  const effects: RendezvousEffect[] = [];
  const acted = act(state, event, rules, effects);
  return { state: match(acted, rules, effects), effects };
}

function act(
  state: RendezvousState,
  event: RendezvousEvent,
  rules: RendezvousRules,
  effects: RendezvousEffect[],
): RendezvousState {
  if (event.type === "arrived") return arrived(state, event, rules, effects);
  const { type, side, id } = event;
  const waiting = state[side];
  if (!waiting.some((half) => half.id === id)) return state;
  if (type === "finished")
    return { ...state, [side]: waiting.map((half) => (half.id === id ? { id, finished: true } : half)) };
  effects.push({ type: "close", id, reason: type });
  return { ...state, [side]: without(waiting, id) };
}

function arrived(
  state: RendezvousState,
  { side, id, source }: Extract<RendezvousEvent, { type: "arrived" }>,
  { maxWaiting }: RendezvousRules,
  effects: RendezvousEffect[],
): RendezvousState {
  const waiting = state[side];
  const newcomer = { id, source, finished: false };
  if (!state.served && waiting.length < maxWaiting) return { ...state, [side]: [...waiting, newcomer] };
  const loser = state.served ? newcomer : (givesWay(waiting, source) ?? newcomer);
  effects.push({ type: "close", id: loser.id, reason: state.served ? "served" : "full" });
  return loser === newcomer ? state : { ...state, [side]: [...without(waiting, loser.id), newcomer] };
}

function match(
  before: RendezvousState,
  { once }: RendezvousRules,
  effects: RendezvousEffect[],
): RendezvousState {
  let state = before;
  while (!state.served) {
    const [a, b] = [first(state.a), first(state.b)];
    if (a === undefined || b === undefined) return state;
    effects.push({ type: "join", a, b });
    state = { a: without(state.a, a), b: without(state.b, b), served: once };
  }
  for (const { id } of [...state.a, ...state.b]) effects.push({ type: "close", id, reason: "served" });
  return { a: [], b: [], served: true };
}

function first(waiting: readonly RendezvousHalf[]): string | undefined {
  return (waiting.find(({ finished }) => !finished) ?? waiting[0])?.id;
}

function without(waiting: readonly RendezvousHalf[], id: string): RendezvousHalf[] {
  return waiting.filter((half) => half.id !== id);
}
