import { limits } from "../protocol/limits.ts";
import type { LinkSignal, OpenSession } from "../protocol/signals.ts";
import type { LeaseRequest } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

interface ReconcileDeps {
  readonly services: Services;
  /** The port that is leased to a session here; null: a place without port, undefined: nothing. */
  readonly leasedPort: (session: string) => number | null | undefined;
  readonly lease: (request: LeaseRequest) => Outcome<unknown>;
}

/** Sessions asked at once. */
const atOnce = 25;

/**
 * Compares what a relay says that it serves with its leases. What agrees costs nothing; of the rest the session itself
 * is asked, and the answers are what the relay has to be told: `end` for sessions that are over, `leave` for those
 * that are elsewhere.
 */
export async function reconcile(
  relay: string,
  listed: readonly OpenSession[],
  { services, leasedPort, lease }: ReconcileDeps,
): Promise<LinkSignal[]> {
  const signals: LinkSignal[] = [];
  async function check({ session, owner, port }: OpenSession): Promise<void> {
    if (leasedPort(session) === port) return;
    const object = services.env.SESSIONS.getByName(sessionObjectName(owner, session));
    const where = await object.whereabouts({ relay, port });
    if (where.type === "over") {
      const until = Math.floor(services.now() / 1_000) + limits.ticketSeconds;
      return void signals.push({ type: "end", ended: { session, until } });
    }
    if (where.type === "here") {
      const place = { wanted: port, strict: true, private: port === null };
      const request = { session, owner, name: where.name, ...place };
      if (lease(request).ok) return;
    }
    if (where.type === "elsewhere" || where.type === "here") signals.push({ type: "leave", session });
  }
  for (let first = 0; first < listed.length; first += atOnce)
    await Promise.allSettled(listed.slice(first, first + atOnce).map(check));
  return signals;
}
