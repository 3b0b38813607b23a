import { randomBytes } from "node:crypto";
import type { AskPlace } from "../../net/direct/ask-address.ts";
import { isSymmetric } from "../../net/direct/mapping.ts";
import { openMeeting } from "../../net/direct/meeting.ts";
import type { Meeting } from "../../net/direct/meeting.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import type {
  Candidate,
  DirectAnswer,
  DirectMiss,
  DirectOffer,
  DirectOutcome,
} from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import { abortable } from "../abortable.ts";
import { proofOfClient } from "./prove.ts";
import type { DirectConnection } from "./prove.ts";

export interface AttemptDeps {
  /** Passes an offer on to the session's agent and gives its answer. */
  readonly offer: (offer: DirectOffer) => Promise<DirectAnswer>;
  readonly places: () => readonly AskPlace[];
  readonly identity: Identity;
  /** Fingerprint of the agent's key; null: the one that comes with its answer. */
  readonly agentKey: string | null;
  /** See `proofOfClient`. */
  readonly plain: boolean;
  readonly random: () => number;
  /** Default `limits.directDialMs`. */
  readonly dialMs?: number;
  /** Addresses of this very machine count too, for tests. */
  readonly loopback?: boolean;
}

/** `offer` names the connection at both ends. */
export type Attempted =
  | { readonly type: "met"; readonly connection: DirectConnection; readonly offer: string }
  | { readonly type: "missed"; readonly why: DirectMiss };

/** Tries once to meet the agent without relay. Throws the reason of `signal`, or what is nobody's expected fault. */
export async function attemptDirect(deps: AttemptDeps, signal: AbortSignal): Promise<Attempted> {
  const { identity, plain, random, loopback = false } = deps;
  await using meeting = await openMeeting({ places: deps.places(), signal, random, loopback });
  if (meeting.candidates.length === 0) return { type: "missed", why: "no_address" };
  const offer = randomBytes(16).toString("base64url");
  const candidates = [...meeting.candidates];
  const answer = await abortable(ask(deps, { offer, key: identity.fingerprint, candidates }), signal);
  if (typeof answer === "string") return { type: "missed", why: answer };
  const expect = deps.agentKey ?? answer.key;
  if (expect === undefined) return { type: "missed", why: "old" };
  let met: DirectConnection | undefined;
  const outcome = await meeting.meet({
    targets: answer.candidates,
    chooses: true,
    prove: proofOfClient({ identity, expect, offer, plain }),
    onMet: (connection) => void (met = connection),
    signal,
    ...(deps.dialMs === undefined ? {} : { timeoutMs: deps.dialMs }),
  });
  if (!signal.aborted)
    return met
      ? { type: "met", connection: met, offer }
      : { type: "missed", why: missOf(outcome, meeting, answer.candidates) };
  met?.destroy();
  throw signal.reason;
}

/** The agent's answer with its addresses, or why there are none. */
async function ask(
  deps: AttemptDeps,
  offer: DirectOffer,
): Promise<Extract<DirectAnswer, { type: "candidates" }> | DirectMiss> {
  try {
    const answer = await deps.offer(offer);
    return answer.type === "candidates" ? answer : missOfReason[answer.reason];
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    if (error.code === "too_many") return "busy";
    return error.code === "no_agent" || error.code === "timeout" ? "no_agent" : "no_control";
  }
}

const missOfReason = {
  off: "agent_off",
  busy: "busy",
  none: "no_address",
  old: "old",
  limited: "limited",
} as const satisfies Record<Extract<DirectAnswer, { type: "no" }>["reason"], DirectMiss>;

function missOf(outcome: DirectOutcome, meeting: Meeting, theirs: readonly Candidate[]): DirectMiss {
  if (outcome === "refused") return "refused";
  return meeting.mapping === "symmetric" || isSymmetric(theirs) ? "symmetric" : "timed_out";
}
