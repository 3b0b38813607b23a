import type { Socket } from "node:net";
import type { ClientTickets, DirectMiss } from "../../protocol/connect.ts";

/** What a client knows of the way to a session's agent. */
export interface Approach {
  readonly tickets: ClientTickets;
  /** The only key that the agent may have; null: nothing is encrypted from end to end (`--plain`). */
  readonly agentKey: string | null;
  /** Why it does not go directly, when that was tried. */
  readonly direct?: DirectMiss | undefined;
}

/** A connection to a session's agent, as it stands when the first byte of a client's may be sent. */
export interface OpenedPath {
  /** Encrypted from end to end, unless the approach has no key. Has no listener but one for `error`, and is paused. */
  readonly socket: Socket;
  /** Bytes of the agent's that were read already. */
  readonly early: Buffer;
  readonly path: "relay" | "direct";
  /** Which way it is and why that one, for people. */
  readonly why: string;
  /** Names the connection in the logs of both ends. */
  readonly pair: string;
}

/** Opens a connection to the agent. Throws RdvError, or the reason of `signal`; nothing is left open then. */
export type OpenPath = (approach: Approach, signal: AbortSignal) => Promise<OpenedPath>;
