import type { Services } from "./services.ts";
import { ticketFor } from "./sessions.ts";
import type { SessionRecord } from "./sessions.ts";

/**
 * Tells the relays that serve a session what its owner has changed, as a newer ticket of the same epoch. A relay that
 * is away learns it from the next half, because the agent is sent the same policy.
 */
export async function tellPolicy({ env, signer, now }: Services, record: SessionRecord): Promise<void> {
  // Before the first agent nothing is open anywhere.
  if (record.epoch === 0) return;
  await Promise.allSettled(
    record.placements.map(async (placement) => {
      const ticket = await signer.sign(ticketFor(record, placement, now()));
      await env.RELAYS.getByName(placement.relay).policy({ session: record.id, ticket });
    }),
  );
}
