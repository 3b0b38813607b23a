import type { Load } from "./load/load.ts";

/**
 * `hop`: one relay between client and service. `tunnel`: relay and agent, reached from outside as a user would.
 * `modes`: the ways that rdv itself offers, beside each other.
 */
export const kinds = ["hop", "tunnel", "modes"] as const;
export type Kind = (typeof kinds)[number];

/** A TCP address on loopback. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** At least one address. */
export type Addresses = readonly [Address, ...Address[]];

/** Something to compare with: it carries connections to one service. */
export interface Peer {
  /** Stands in tables and in `--only`. */
  readonly name: string;
  readonly kinds: readonly Kind[];
  /** Why this machine cannot run it, or its version. */
  probe(): Promise<Probe>;
  start(kind: Kind, service: Address): Promise<Running>;
}

export type Probe =
  | { readonly installed: true; readonly version: string }
  | { readonly installed: false; readonly reason: string };

/** What one started peer can carry; a program that forks a process a connection has less room than the others. */
export interface Capacity {
  /** Streams at once. */
  readonly streams: number;
  /** Idle pairs that are opened to measure memory. */
  readonly idlePairs: number;
  /** False when every connection needs a new process pair, so that a rate says nothing. */
  readonly manyConnections: boolean;
}

/** A started peer. Disposing of it ends its processes. */
export interface Running extends AsyncDisposable {
  /** Resolves when a client can dial; gives one address for each of `streams` (the same one, except for one-shot tunnels). */
  addresses(streams: number): Promise<Addresses>;
  readonly capacity: Capacity;
  /** Root processes of the relay and of the agent; descendants are counted too. Read afresh, for they may be restarted. */
  relayPids(): readonly number[];
  agentPids(): readonly number[];
  /** Of a program that the client needs on its own machine. */
  clientPids?(): readonly number[];
}

/** One measured value. `measure` and `unit` head a table, `column` is the place in it. */
export interface Sample {
  readonly measure: string;
  readonly unit: string;
  readonly column: string;
  readonly value: number;
}

/** What a scenario gets for one peer in one round. */
export interface Context {
  readonly kind: Kind;
  /** The peer, running since the benchmark began. */
  readonly running: Running;
  /** The same peer once more, in fresh processes: memory is measured from a clean start. */
  startFresh(): Promise<Running>;
  readonly load: Load;
  readonly quick: boolean;
  /** Sleeps, unless the benchmark is interrupted: then it throws. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** One thing to measure. */
export interface Scenario {
  /** Stands in `--only`. */
  readonly name: string;
  readonly kinds: readonly Kind[];
  /** One round for one peer; nothing when the peer cannot do it. */
  run(context: Context): Promise<readonly Sample[]>;
}
