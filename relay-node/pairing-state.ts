import type { ErrorCode } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { HalfOutcome } from "../protocol/outcomes.ts";

/** What the pairing rules know of one session. A client's id is also the id of the pair it becomes part of. */
export interface PairingState {
  readonly epoch: number;
  /** Revision of the newest ticket seen: between tickets of one epoch the higher one has the newer policy … */
  readonly revision: number;
  /** … and between tickets of one revision the one that expires later, in seconds, is the newer one. */
  readonly expires: number;
  readonly once: boolean;
  readonly pairsLimit: number;
  /** The session's own port; null when it has none. */
  readonly port: number | null;
  /** Whether clients can come: by the session's port, or by tickets alone once its first half is here. */
  readonly listening: "no" | "opening" | "yes";
  readonly halves: readonly WaitingHalf[];
  /** Waiting clients, the one that waits longest first. */
  readonly clients: readonly WaitingClient[];
  readonly pairs: readonly LivePair[];
  /** Why nothing new is taken. */
  readonly over: "ended" | "draining" | undefined;
  /** Nobody is here, and the port is kept for a while. */
  readonly resting: boolean;
}

interface WaitingHalf {
  readonly id: string;
  readonly epoch: number;
  /** Told that it waits; before that the session's port is not open yet. */
  readonly accepted: boolean;
}

export interface WaitingClient {
  readonly id: string;
  /** The address that it comes from, or what stands for it: see `sourceOf`. */
  readonly source: string;
}

/** `telling`: the 101 is on its way to the half, and the client may still be lost or be given another half. */
export interface ToldPair {
  readonly stage: "telling";
  readonly id: string;
  readonly source: string;
  readonly half: string;
  readonly clientGone: boolean;
}

/** Pairs live long, so nothing is kept of them that is not needed. */
export type LivePair = ToldPair | { readonly stage: "joined"; readonly id: string; readonly source: string };

/** What the rules need of a ticket. */
export interface TicketTerms {
  readonly epoch: number;
  readonly revision: number;
  readonly expires: number;
  readonly port: number | null;
  readonly once: boolean;
  readonly pairs: number;
}

export type PairingEvent =
  | ({
      readonly type: "half_arrived";
      readonly half: string;
    } & TicketTerms)
  /** The control plane sent a newer ticket of the session. */
  | ({ readonly type: "policy_changed" } & TicketTerms)
  /** The bytes that the session may move are used up. */
  | { readonly type: "spent" }
  /** The half closed, or said something before its turn. */
  | { readonly type: "half_gone"; readonly half: string; readonly outcome: "gone" | "protocol_error" }
  | { readonly type: "client_arrived"; readonly client: string; readonly source: string }
  | { readonly type: "client_gone"; readonly client: string }
  /** The key that asked for the client's ticket is no more. */
  | { readonly type: "client_expelled"; readonly client: string }
  /** The client waited as long as a client may. */
  | { readonly type: "client_waited"; readonly client: string }
  /** The half's 101 is with the kernel … */
  | { readonly type: "told"; readonly pair: string }
  /** … or could not be sent, because the half has gone. */
  | { readonly type: "untold"; readonly pair: string }
  | { readonly type: "pair_closed"; readonly pair: string }
  | { readonly type: "port_opened"; readonly port: number }
  | { readonly type: "port_failed"; readonly port: number }
  /** The session is at another relay now; living pairs go on, and it may come back. */
  | { readonly type: "leave" }
  /** The control plane ended the session: everything stops now. */
  | { readonly type: "end" }
  /** The relay takes nothing new; living pairs go on. */
  | { readonly type: "drain" }
  /** The relay stops now. */
  | { readonly type: "cut" }
  /** The port was kept long enough. */
  | { readonly type: "rested" };

export type PairingEffect =
  | { readonly type: "open_port"; readonly port: number }
  | { readonly type: "close_port"; readonly port: number }
  /** Tell the half that it waits. */
  | { readonly type: "accept_half"; readonly half: string }
  | {
      readonly type: "end_half";
      readonly half: string;
      readonly outcome: HalfOutcome;
      readonly code: ErrorCode;
    }
  | {
      readonly type: "end_client";
      readonly client: string;
      readonly outcome: HalfOutcome;
      readonly code: ErrorCode;
    }
  /** Send the half its 101; answered by `told` or `untold`. */
  | { readonly type: "tell_half"; readonly pair: string; readonly half: string; readonly demand: number }
  /** The half could not be told of its client: it is gone. */
  | { readonly type: "end_untold"; readonly pair: string; readonly half: string }
  /** Give both to the pump; answered by `pair_closed`. */
  | { readonly type: "join"; readonly pair: string; readonly half: string }
  /** Reset a half that was told of a client who has gone; answered by nothing, the pair is over. */
  | {
      readonly type: "drop_pair";
      readonly pair: string;
      readonly half: string;
      readonly outcome: "reset_by_client" | "cut";
    }
  /** Cut a pair in the pump; answered by `pair_closed`. */
  | { readonly type: "cut_pair"; readonly pair: string; readonly outcome: "cut" | "budget_used" }
  | { readonly type: "start_rest" }
  | { readonly type: "stop_rest" }
  /** The session may be used no more: refuse its tickets while they live. */
  | { readonly type: "remember_ended" }
  /** Nothing is left of the session. */
  | { readonly type: "forget" };

export interface Step {
  readonly state: PairingState;
  readonly effects: readonly PairingEffect[];
}

/** A session of which nothing is known yet. */
export const emptyPairing: PairingState = {
  epoch: 0,
  revision: 0,
  expires: 0,
  once: false,
  pairsLimit: limits.pairsPerSession,
  port: null,
  listening: "no",
  halves: [],
  clients: [],
  pairs: [],
  over: undefined,
  resting: false,
};
