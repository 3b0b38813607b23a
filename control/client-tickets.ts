import type { ClientTickets } from "../protocol/connect.ts";
import { rootKey } from "./keys.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { Services } from "./services.ts";
import type { SessionStore } from "./session-store.ts";
import { clientTicketFor } from "./sessions.ts";

/** Signs tickets with which a client of the owner's comes to the session's relays; null when there is no session. */
export async function signClientTickets(
  { signer, now }: Services,
  store: SessionStore,
  { key: askedBy, proof }: { readonly key: string; readonly proof?: string | undefined },
): Promise<Outcome<ClientTickets> | null> {
  const record = store.read();
  if (!record) return null;
  if (record.ended) return refuse("ended", `The session is over: ${record.ended.reason}`);
  const key = askedBy === rootKey ? undefined : askedBy;
  const tickets = record.placements.map((placement) => ({
    placement,
    ticket: clientTicketFor(record, placement, { key, proof }, now()),
  }));
  // A session that ends meanwhile must be remembered for as long as these tickets live.
  const ticketsUntil = Math.max(record.ticketsUntil, ...tickets.map(({ ticket }) => ticket.expires));
  store.save({ ...record, ticketsUntil });
  const placements = await Promise.all(
    tickets.map(async ({ placement, ticket }) => ({
      ...placement,
      ticket: await signer.sign(ticket),
      ticketExpires: ticket.expires,
    })),
  );
  const { id: session, name, agentKey } = record;
  return done({ session, name, agentKey, placements });
}
