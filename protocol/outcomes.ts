/**
 * How a connection ended. Every connection ends in exactly one of these; logs, metrics and `closed` events use the name.
 * `a` is the client's side and `b` the agent's or the service's side of a pair.
 */
export const pairOutcomes = [
  /** Both directions ended with FIN. */
  "closed",
  /** The client's side sent RST, or broke. */
  "reset_by_client",
  /** The agent's or the service's side sent RST, or broke. */
  "reset_by_agent",
  /** Bytes were queued and none was taken for `limits.stallMs`. */
  "stalled",
  /** One direction had ended and the other was silent for `limits.halfClosedMs`. */
  "half_closed_timeout",
  /** Cut on purpose: session ended, drain time over, process stopping. */
  "cut",
  /** Cut because the session had used up its byte budget. */
  "budget_used",
  /** The agent did not let the client in: it came without a ticket, or their encryption did not come about. */
  "not_secured",
  /** The agent could not reach its local service. */
  "target_refused",
] as const;
export type PairOutcome = (typeof pairOutcomes)[number];

/** How a half ended that was never paired. */
export const halfOutcomes = [
  "gone",
  "no_agent",
  "not_allowed",
  "too_many",
  "full",
  "replaced",
  "ended",
  "draining",
  "refused",
  "protocol_error",
] as const;
export type HalfOutcome = (typeof halfOutcomes)[number];
