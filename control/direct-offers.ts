import type { Policy } from "../protocol/api.ts";
import type { DirectAnswer, DirectOffer } from "../protocol/connect.ts";
import { limits } from "../protocol/limits.ts";
import type { AgentSignal } from "../protocol/signals.ts";
import type { AgentLine } from "./agent-line.ts";
import type { Counted } from "./count-object.ts";
import type { Outcome, Refusal } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import { createBuckets } from "./rate-limit.ts";
import type { SessionRecord } from "./sessions.ts";

type Said<T extends AgentSignal["type"]> = Extract<AgentSignal, { type: T }>;

/** Offers of clients to meet the session's agent without relay. They live in memory: whoever waits keeps the object awake. */
export interface DirectOffers {
  /** Passes an offer on, and gives the agent's answer; the same offer again gets the same answer. */
  pass(record: SessionRecord, offer: DirectOffer): Promise<Outcome<DirectAnswer>>;
  /** The ruling agent answers: the first answer to an offer that waits counts, every other one is nothing. */
  answered(signal: Said<"direct">): void;
  /** The ruling agent says what became of an offer; counted once. */
  ended(signal: Said<"path">): void;
  /** The agent that was asked is gone. */
  abandon(): void;
}

interface OffersDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly line: Pick<AgentLine, "heardAt" | "sendDirect">;
  readonly count: (what: Counted) => void;
}

interface Offer {
  readonly settled: Promise<Outcome<DirectAnswer>>;
  readonly settle: (outcome: Outcome<DirectAnswer>) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  /** Its outcome was counted. */
  counted: boolean;
}

/** Offers that are remembered, the oldest is forgotten first: more than can wait at once by `limits.offerRate`. */
const remembered = 64;

export function createDirectOffers({ now, line, count }: OffersDeps): DirectOffers {
  const offers = new Map<string, Offer>();
  const waiting = new Set<string>();
  const rate = createBuckets(limits.offerRate, now);

  function settle(id: string, outcome: Outcome<DirectAnswer>): void {
    const offer = offers.get(id);
    if (!offer || !waiting.delete(id)) return;
    clearTimeout(offer.timer);
    offer.settle(outcome);
  }

  function remember(id: string): Promise<Outcome<DirectAnswer>> {
    const { promise: settled, resolve } = Promise.withResolvers<Outcome<DirectAnswer>>();
    const timer = setTimeout(() => settle(id, done(no("old"))), limits.directAnswerMs);
    offers.set(id, { settled, settle: resolve, timer, counted: false });
    waiting.add(id);
    for (const oldest of offers.keys()) {
      if (offers.size <= remembered) break;
      settle(oldest, done(no("busy")));
      offers.delete(oldest);
    }
    return settled;
  }

  async function ask(record: SessionRecord, offer: DirectOffer): Promise<Outcome<DirectAnswer>> {
    // An invited machine has no control connection; whoever wants to reach it takes the relay.
    if (record.invitation) return done(no("old"));
    if (isLimited(record.policy)) return done(no("limited"));
    if (line.heardAt(record) === null) return away;
    if (rate.take("all") > 0) return done(no("busy"));
    const settled = remember(offer.offer);
    if (!line.sendDirect(record, offer)) forget(offer.offer);
    return await settled;
  }

  /** Nobody was asked: the same offer may come again. */
  function forget(id: string): void {
    settle(id, away);
    offers.delete(id);
  }

  return {
    pass: async (record, offer) => {
      const known = offers.get(offer.offer);
      if (known) return await known.settled;
      const outcome = await ask(record, offer);
      if (outcome.ok)
        count(outcome.value.type === "no" ? `offer_${outcome.value.reason}` : "offer_candidates");
      return outcome;
    },
    answered: ({ offer, answer }) => settle(offer, done(answer)),
    ended: ({ offer: id, outcome }) => {
      const offer = offers.get(id);
      if (!offer || offer.counted) return;
      offer.counted = true;
      count(`direct_${outcome}`);
    },
    abandon: () => {
      for (const id of waiting) forget(id);
    },
  };
}

function no(reason: Extract<DirectAnswer, { type: "no" }>["reason"]): DirectAnswer {
  return { type: "no", reason };
}

/** Relays alone keep these limits: they see every client. */
function isLimited({ allow, once, pairs, connectsPerSecond, bytes }: Policy): boolean {
  const counted = connectsPerSecond !== undefined || bytes !== undefined || pairs < limits.pairsPerSession;
  return once || counted || allow.length > 0;
}

const away: Refusal = refuse(
  "no_agent",
  "The session's agent is away; try again when it is back, or see rdv sessions",
);
