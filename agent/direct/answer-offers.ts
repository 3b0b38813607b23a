import type { AskPlace } from "../../net/direct/ask-address.ts";
import { openMeeting } from "../../net/direct/meeting.ts";
import type { Log } from "../../net/log.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import type { DirectAnswer, DirectOffer, DirectOutcome } from "../../protocol/connect.ts";
import { limits } from "../../protocol/limits.ts";
import { createIdleClients } from "./idle-clients.ts";
import { proofOfAgent } from "./prove.ts";
import type { DirectConnection } from "./prove.ts";

interface AnswersDeps {
  /** The agent's key; without one every offer is answered with a no. */
  readonly identity: Identity | undefined;
  /** Fingerprints of the only clients' keys that are met; by default any that an offer names. */
  readonly clients?: readonly string[] | undefined;
  /** See `proofOfAgent`. */
  readonly plain: boolean;
  readonly places: () => readonly AskPlace[];
  readonly onAnswer: (offer: string, answer: DirectAnswer) => void;
  /** What became of an attempt. */
  readonly onOutcome: (offer: string, outcome: DirectOutcome) => void;
  /** A client needs its direct connection now; it is the callee's, and `offer` names the pair at both ends. */
  readonly onClient: (connection: DirectConnection, offer: string) => void;
  readonly log: Log;
  readonly random: () => number;
  /** Addresses of this very machine count too, for tests. */
  readonly loopback?: boolean;
}

/** The agent's side of direct connections. Disposing gives up attempts and closes what no client uses yet. */
export interface DirectAnswers extends AsyncDisposable {
  /** Answers an offer and then tries to meet the client; never rejects. */
  offer(from: DirectOffer): void;
  counts(): { readonly attempts: number; readonly idle: number };
}

/** Makes the part of an agent that meets clients without relay. Nothing is dialled for a client before it asks for it. */
export function createDirectAnswers(deps: AnswersDeps): DirectAnswers {
  const stop = new AbortController();
  const attempts = new Set<Promise<void>>();
  const idle = createIdleClients({ onStart: deps.onClient });

  function no(offer: string, reason: Extract<DirectAnswer, { type: "no" }>["reason"]): void {
    deps.log.debug("a client's offer to meet directly is declined", { offer, reason });
    deps.onAnswer(offer, { type: "no", reason });
  }

  async function attempt(identity: Identity, { offer, key, candidates }: DirectOffer): Promise<void> {
    const { places, random, loopback = false, plain } = deps;
    await using meeting = await openMeeting({ places: places(), signal: stop.signal, random, loopback });
    if (meeting.candidates.length === 0) return no(offer, "none");
    const own = { candidates: [...meeting.candidates], key: identity.fingerprint };
    deps.onAnswer(offer, { type: "candidates", ...own });
    const outcome = await meeting.meet({
      targets: candidates,
      chooses: false,
      prove: proofOfAgent({ identity, expect: key, offer, plain }),
      onMet: (connection) => idle.add(connection, key, offer),
      signal: stop.signal,
    });
    if (stop.signal.aborted) return;
    deps.log.debug("an attempt to meet a client directly is over", { offer, outcome, nat: meeting.mapping });
    deps.onOutcome(offer, outcome);
  }

  return {
    offer(from) {
      const { identity, clients } = deps;
      const mayCome = clients === undefined || clients.includes(from.key);
      if (identity === undefined || !mayCome) return no(from.offer, "off");
      if (attempts.size >= limits.directAttempts) return no(from.offer, "busy");
      const running = attempt(identity, from)
        .catch((error: unknown) => {
          if (stop.signal.aborted) return;
          deps.log.warn("no direct connections from here", { error: String(error) });
          no(from.offer, "none");
        })
        .finally(() => attempts.delete(running));
      attempts.add(running);
    },
    counts: () => ({ attempts: attempts.size, idle: idle.size }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      idle[Symbol.dispose]();
      await Promise.all(attempts);
    },
  };
}
