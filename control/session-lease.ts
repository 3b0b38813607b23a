import type { CreateSession, Placement } from "../protocol/api.ts";
import type { AgentSignal } from "../protocol/signals.ts";
import { placeSession } from "./fleet.ts";
import type { Holder } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { Services } from "./services.ts";
import type { SessionRecord } from "./sessions.ts";

/** A lease for a request: on the relay that the session has, while that serves, else on the best one. */
export async function leaseFor(
  services: Services,
  holder: Holder,
  request: CreateSession,
  old: Placement | undefined,
): Promise<Outcome<Placement>> {
  const { region, port = null } = request;
  const lease = { ...holder, wanted: port, strict: port !== null };
  if (!old) return await placeSession(services, lease, region);
  if (region !== undefined && region !== old.region) return await moveFrom(services, old, lease, region);
  const kept = await services.env.RELAYS.getByName(old.relay).lease(lease);
  if (kept.ok || kept.code !== "no_relay") return kept;
  const moved = await moveFrom(services, old, { ...lease, wanted: port ?? old.clientPort }, region);
  // With no other relay the old place is as good as any: its relay may come back.
  return moved.ok || (port ?? old.clientPort) !== old.clientPort ? moved : done(old);
}

/**
 * Another lease after a relay refused the agent's half. On a relay that cannot take the session the old port is a
 * wish; a port on which the relay cannot listen is exchanged, unless the user fixed it.
 */
export async function leaseAfterRefusal(
  services: Services,
  record: SessionRecord,
  code: Exclude<Extract<AgentSignal, { type: "refused" }>["code"], "ticket_invalid">,
): Promise<Outcome<Placement>> {
  const { placement: old, fixedPort } = record;
  const holder = { session: record.id, owner: record.owner, name: record.name };
  if (code !== "port_unavailable")
    return await moveFrom(services, old, { ...holder, wanted: old.clientPort, strict: fixedPort }, undefined);
  if (fixedPort)
    return refuse(code, `its relay cannot listen on port ${old.clientPort}; choose another port`);
  const relay = services.env.RELAYS.getByName(old.relay);
  await relay.release({ session: record.id, endedUntil: null, port: "avoid" });
  const free = { ...holder, wanted: null, strict: false };
  const exchanged = await relay.lease(free);
  if (exchanged.ok) return exchanged;
  const moved = await placeSession(services, free, undefined, old.relay);
  return moved.ok
    ? moved
    : refuse(code, `its relay cannot listen on port ${old.clientPort} and there is no other port or relay`);
}

async function moveFrom(
  services: Services,
  old: Placement,
  lease: Parameters<typeof placeSession>[1],
  region: string | undefined,
): Promise<Outcome<Placement>> {
  const moved = await placeSession(services, lease, region, old.relay);
  if (moved.ok)
    await services.env.RELAYS.getByName(old.relay).release({
      session: lease.session,
      endedUntil: null,
      port: "rest",
    });
  return moved;
}
