import type { CreateSession, Placement } from "../protocol/api.ts";
import type { AgentSignal } from "../protocol/signals.ts";
import type { Wish } from "./fleet.ts";
import type { Holder, LeaseRequest } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import { placeBeside, placeOnOne, placeOnSeveral } from "./place-session.ts";
import type { Services } from "./services.ts";
import { isPrivate } from "./sessions.ts";
import type { SessionRecord } from "./sessions.ts";

/** Leases for a request: on the relays that the session has, while they serve, else on the best ones. */
export async function leaseFor(
  services: Services,
  holder: Holder,
  request: CreateSession,
  old: readonly Placement[],
): Promise<Outcome<Placement[]>> {
  const { region, port = null, latencies = [], relays: count = 1, private: hidden = false } = request;
  const wish: Wish = { region: region ?? null, latencies, except: [], linkedOnly: false, regions: 1 };
  const lease: LeaseRequest = { ...holder, wanted: port, strict: port !== null, private: hidden };
  const mine = old.filter((place) => region === undefined || place.region === region).slice(0, count);
  const [first] = mine;
  if (!first) return await place(services, lease, wish, count);
  // One by one its relays would give a session that was private different ports.
  if (!hidden && first.clientPort === null && count > 1)
    return await placeInPublic(services, lease, wish, count, old);
  const { kept, absent, refusal } = await keepLeases(services, lease, mine);
  if (refusal) return refusal;
  const wanted = kept[0]?.clientPort ?? port ?? first.clientPort;
  const missing = count - kept.length;
  if (missing === 0) return done(kept);
  const elsewhere = { ...wish, except: old.map(({ relay }) => relay) };
  const added = await placeMore(services, { ...lease, wanted }, elsewhere, kept, missing);
  // With no other relay the old place is as good as any: its relay may come back.
  const stay = absent.filter((one) => one.clientPort === (kept[0] ?? added[0])?.clientPort || !added[0]);
  const placements = [...kept, ...added, ...stay].slice(0, count);
  const isRight = ({ clientPort }: Placement): boolean =>
    hidden ? clientPort === null : clientPort !== null && clientPort === (port ?? clientPort);
  return !placements.every(isRight)
    ? refuse("no_relay", "The session's relay is away, and no other one is here")
    : done(placements);
}

/** Places a private session that is to have a public port from now on; it stays what it is when there is none. */
async function placeInPublic(
  services: Services,
  lease: LeaseRequest,
  wish: Wish,
  count: number,
  old: readonly Placement[],
): Promise<Outcome<Placement[]>> {
  const placed = await placeOnSeveral(services, lease, wish, count);
  if (!placed.ok)
    for (const { relay } of old)
      await services.env.RELAYS.getByName(relay).lease({ ...lease, private: true });
  return placed;
}

/** Leases after a relay refused the agent's half: on another relay, or with another port, unless the user fixed it. */
export async function leaseAfterRefusal(
  services: Services,
  record: SessionRecord,
  refused: Placement,
  code: Exclude<Extract<AgentSignal, { type: "refused" }>["code"], "ticket_invalid">,
): Promise<Outcome<Placement[]>> {
  if (code !== "port_unavailable") return await leaseElsewhere(services, record, refused);
  const { clientPort: port } = refused;
  if (record.fixedPort) return refuse(code, `its relay cannot listen on port ${port}; choose another port`);
  const relay = services.env.RELAYS.getByName(refused.relay);
  // A relay that is not here can exchange nothing, and its lease is worth keeping.
  const state = (await relay.view(null))?.state;
  if (state === undefined || state === "gone") return await leaseElsewhere(services, record, refused);
  await relay.release({ session: record.id, endedUntil: null, port: "avoid", leave: false });
  const free = { ...leaseOf(record), wanted: null, strict: false };
  if (record.placements.length > 1)
    return await placeOnSeveral(services, free, wishOf(record, []), record.placements.length);
  const exchanged = await relay.lease(free);
  if (exchanged.ok) return done([exchanged.value]);
  const moved = await placeOnOne(services, free, wishOf(record, [refused.relay]));
  return moved.ok
    ? done([moved.value])
    : refuse(code, `its relay cannot listen on port ${port} and there is no other port or relay`);
}

/** The session's placements with another relay instead of one; the same port, if that relay has it. */
export async function leaseElsewhere(
  services: Services,
  record: SessionRecord,
  old: Placement,
): Promise<Outcome<Placement[]>> {
  const { placements, fixedPort } = record;
  const keep = placements.filter((one) => one.relay !== old.relay);
  const wish = wishOf(
    record,
    placements.map(({ relay }) => relay),
  );
  const lease = { ...leaseOf(record), wanted: old.clientPort, strict: fixedPort };
  const [added] = await placeMore(services, lease, wish, keep, 1);
  if (!added) return refuse("no_relay", "There is no other relay for the session");
  return done(placements.map((one) => (one.relay === old.relay ? added : one)));
}

/** The session's placements and as many more as it is to have. */
export async function leaseMissing(services: Services, record: SessionRecord): Promise<Placement[]> {
  const { placements, relays } = record;
  const wish = wishOf(
    record,
    placements.map(({ relay }) => relay),
  );
  const lease = { ...leaseOf(record), wanted: null, strict: true };
  const added = await placeBeside(services, lease, wish, placements, relays - placements.length);
  return [...placements, ...added];
}

async function place(
  services: Services,
  lease: LeaseRequest,
  wish: Wish,
  count: number,
): Promise<Outcome<Placement[]>> {
  if (count > 1) return await placeOnSeveral(services, lease, wish, count);
  const one = await placeOnOne(services, lease, wish);
  return one.ok ? done([one.value]) : one;
}

/** Up to `count` places beside those that are kept; the first one of all may have another port. */
async function placeMore(
  services: Services,
  lease: LeaseRequest,
  wish: Wish,
  keep: readonly Placement[],
  count: number,
): Promise<Placement[]> {
  if (keep.length > 0) return await placeBeside(services, lease, wish, keep, count);
  const placed = await place(services, lease, wish, count);
  return placed.ok ? placed.value : [];
}

/** Renews the leases that the session has: all of them, or none when one is refused. */
async function keepLeases(services: Services, lease: LeaseRequest, old: readonly Placement[]) {
  const relayOf = ({ relay }: Placement) => services.env.RELAYS.getByName(relay);
  const kept: Placement[] = [];
  const absent: Placement[] = [];
  for (const one of old) {
    const outcome = await relayOf(one).lease(lease);
    if (outcome.ok) kept.push(outcome.value);
    else if (outcome.code === "no_relay") absent.push(one);
    else {
      const before = old.filter((place) => kept.some(({ relay }) => relay === place.relay));
      for (const place of before) await relayOf(place).lease(leaseAgain(lease, place));
      return { kept: [], absent: [], refusal: outcome };
    }
  }
  return { kept, absent, refusal: undefined };
}

function wishOf({ region, latencies }: SessionRecord, except: readonly string[]): Wish {
  return { region, latencies, except, linkedOnly: true, regions: 1 };
}

function leaseOf(record: SessionRecord): Holder & Pick<LeaseRequest, "private"> {
  const { id: session, owner, name } = record;
  return { session, owner, name, private: isPrivate(record) };
}

/** The lease of a place as the session has it. */
function leaseAgain(lease: LeaseRequest, { clientPort }: Placement): LeaseRequest {
  return { ...lease, wanted: clientPort, strict: true, private: clientPort === null };
}
