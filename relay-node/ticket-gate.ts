import type { JSONWebKeySet } from "jose";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { createTicketVerifier } from "../protocol/tickets.ts";
import type { Ticket } from "../protocol/tickets.ts";

interface TicketGateOptions {
  /** This relay's id. */
  readonly relay: string;
  readonly hasEnded: (session: string) => boolean;
  readonly now: () => number;
}

/** Checks the tickets of halves, offline. */
export interface TicketGate {
  /** Forgets what was checked with older keys. */
  setKeys(jwks: JSONWebKeySet): void;
  /**
   * The ticket, when this relay may serve it now. Throws `ticket_invalid`, `ticket_expired`, `wrong_relay`, `ended`,
   * or `unreachable` while the control plane's keys are not known yet.
   */
  check(token: string): Promise<Ticket>;
}

/** Tickets whose check is remembered: a check costs about 160 µs, and an agent shows the same one for every half. */
const remembered = 4_096;

/** Makes the gate of one relay; it knows no key until `setKeys`. */
export function createTicketGate({ relay, hasEnded, now }: TicketGateOptions): TicketGate {
  let verify: ((token: string) => Promise<Ticket>) | undefined;
  let checked = new Map<string, Ticket>();

  async function lookUp(token: string): Promise<Ticket> {
    const known = checked.get(token);
    checked.delete(token);
    if (known && (known.expires + limits.ticketSkewSeconds) * 1_000 > now()) return known;
    if (!verify) throw new RdvError("unreachable", "This relay has not met its control plane yet; try again");
    return await verify(token);
  }

  return {
    setKeys(jwks) {
      verify = createTicketVerifier(jwks, relay, now);
      checked = new Map();
    },
    async check(token) {
      const mine = checked;
      const ticket = await lookUp(token);
      // Put back at the end: the front of the map is what was used least lately.
      mine.set(token, ticket);
      const oldest = mine.size > remembered ? mine.keys().next() : undefined;
      if (oldest && !oldest.done) mine.delete(oldest.value);
      if (hasEnded(ticket.session)) throw new RdvError("ended", "The session has ended; register it again");
      return ticket;
    },
  };
}
