import * as z from "zod";
import { RelayId } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";

/** What a session knows against one of its relays. Times are milliseconds since 1970. */
export const Trouble = z.object({
  relay: RelayId,
  /** Since when the control plane has given up the relay's link; null while it is linked, as far as is known. */
  lostAt: z.number().nullable(),
  /** First and last time that the agent said that it cannot reach the relay. */
  saidFirst: z.number().nullable(),
  saidLast: z.number().nullable(),
});
export type Trouble = z.infer<typeof Trouble>;

/** What an agent said about a relay is true this long: it says so again with every attempt, at most 30 s apart. */
const wordMs = 60_000;
/** A word this fresh needs no confirmation when the relay's link is lost too. */
const freshMs = 15_000;

/** The troubles after the control plane gave up a relay's link. */
export function linkLost(troubles: readonly Trouble[], relay: string, now: number): Trouble[] {
  return change(troubles, relay, (trouble) => ({ ...trouble, lostAt: trouble.lostAt ?? now }));
}

/** The troubles after the agent said that it cannot reach a relay. */
export function agentLost(troubles: readonly Trouble[], relay: string, now: number): Trouble[] {
  return change(troubles, relay, (trouble) => {
    const goesOn = trouble.saidLast !== null && trouble.saidLast + wordMs > now;
    return { ...trouble, saidFirst: goesOn ? trouble.saidFirst : now, saidLast: now };
  });
}

/** The troubles without those of a relay that is well. */
export function wellAgain(troubles: readonly Trouble[], relay: string): Trouble[] {
  return troubles.filter((one) => one.relay !== relay);
}

/**
 * What to do about a relay. A lost link alone proves nothing: the relay may serve on, so the agent is asked to look.
 * The agent's word alone counts when it has said so for `limits.relayUnreachableMs`.
 */
export function verdict(
  troubles: readonly Trouble[],
  relay: string,
  now: number,
): "stay" | "ask_agent" | "move" {
  const trouble = troubles.find((one) => one.relay === relay);
  if (!trouble) return "stay";
  const { lostAt, saidFirst, saidLast } = trouble;
  if (saidFirst !== null && saidLast !== null && saidLast + wordMs > now) {
    if (lostAt !== null && saidLast + freshMs > now) return "move";
    if (saidLast - saidFirst >= limits.relayUnreachableMs) return "move";
  }
  return lostAt === null ? "stay" : "ask_agent";
}

function change(troubles: readonly Trouble[], relay: string, edit: (trouble: Trouble) => Trouble): Trouble[] {
  const known = troubles.find((one) => one.relay === relay);
  const trouble = known ?? { relay, lostAt: null, saidFirst: null, saidLast: null };
  return [...wellAgain(troubles, relay), edit(trouble)];
}
