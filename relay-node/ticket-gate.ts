import type { JSONWebKeySet } from "jose";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { createTicketVerifier } from "../protocol/tickets.ts";
import type { Ticket } from "../protocol/tickets.ts";
import type { TicketTries } from "./ticket-tries.ts";

interface TicketGateOptions {
  /** This relay's id. */
  readonly relay: string;
  readonly hasEnded: (session: string) => boolean;
  readonly hasKeyEnded: (key: string) => boolean;
  readonly now: () => number;
  /** Bounds what one source may have checked. */
  readonly tries: TicketTries;
}

/** Checks the tickets of halves, offline. */
export interface TicketGate {
  /** Forgets what was checked with older keys. */
  setKeys(jwks: JSONWebKeySet): void;
  /**
   * The ticket, when this relay may serve it now. Throws `ticket_invalid`, `ticket_expired`, `wrong_relay`, `ended`,
   * `unreachable` while the control plane's keys are not known yet, or `too_many` when too many tickets of `source` were
   * wrong. A ticket that was good before is taken in any case; without `source` so is every good one.
   */
  check(token: string, source?: string): Promise<Ticket>;
}

/** Tickets whose check is remembered: a check costs about 350 µs, and an agent shows the same one for every half. */
const remembered = 4_096;

/** Makes the gate of one relay; it knows no key until `setKeys`. */
export function createTicketGate({
  relay,
  hasEnded,
  hasKeyEnded,
  now,
  tries,
}: TicketGateOptions): TicketGate {
  let verify: ((token: string) => Promise<Ticket>) | undefined;
  let checked = new Map<string, Ticket>();

  async function lookUp(token: string, source: string | undefined): Promise<Ticket> {
    const known = checked.get(token);
    checked.delete(token);
    if (known && (known.expires + limits.ticketSkewSeconds) * 1_000 > now()) return known;
    const check = verify;
    if (!check) throw new RdvError("unreachable", "This relay has not met its control plane yet; try again");
    return source === undefined ? await check(token) : await tries(source, async () => check(token));
  }

  return {
    setKeys(jwks) {
      verify = createTicketVerifier(jwks, relay, now);
      checked = new Map();
    },
    async check(token, source) {
      const mine = checked;
      const ticket = await lookUp(token, source);
      // Put back at the end: the front of the map is what was used least lately.
      mine.set(token, ticket);
      const oldest = mine.size > remembered ? mine.keys().next() : undefined;
      if (oldest && !oldest.done) mine.delete(oldest.value);
      if (hasEnded(ticket.session)) throw new RdvError("ended", "The session has ended; register it again");
      if (ticket.key !== undefined && hasKeyEnded(ticket.key))
        throw new RdvError("ticket_invalid", "The key that asked for this ticket was revoked or has expired");
      return ticket;
    },
  };
}
