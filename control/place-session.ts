import type { Placement } from "../protocol/api.ts";
import type { Wish } from "./fleet.ts";
import { findCandidates } from "./fleet.ts";
import type { LeaseRequest } from "./leases.ts";
import type { Outcome, Refusal } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { RelayEntry } from "./placement.ts";
import { shuffle, spreadRelays } from "./placement.ts";
import type { Services } from "./services.ts";

/** Ports that one relay offers, of which the other relays of a session choose. */
const portsOffered = 64;
/** Ports that a session tries which another one may take at the same moment. */
const portTries = 5;

/** Leases a port on the best relay that takes the session. */
export async function placeOnOne(
  services: Services,
  request: LeaseRequest,
  wish: Wish,
): Promise<Outcome<Placement>> {
  let refusal: Refusal = refuse("no_relay", noRelay(wish.region));
  for (const { relay } of await findCandidates(services, wish)) {
    const outcome = await services.env.RELAYS.getByName(relay.id).lease(request);
    if (outcome.ok) return outcome;
    refusal = outcome;
  }
  return refusal;
}

/** Leases one port number, or none, on up to `count` relays, which are as far apart as there are; fewer are taken as they come. */
export async function placeOnSeveral(
  services: Services,
  request: LeaseRequest,
  wish: Wish,
  count: number,
): Promise<Outcome<Placement[]>> {
  const entries = spreadRelays(await findCandidates(services, { ...wish, regions: count }), [], count);
  if (entries.length > 1)
    for (const port of await commonPorts(services, request, entries)) {
      const placements = await leaseOnAll(services, { ...request, wanted: port, strict: true }, entries);
      if (placements) return done(placements);
    }
  const one = await placeOnOne(services, request, wish);
  return one.ok ? done([one.value]) : one;
}

/** Places beside those that the session keeps, with the port that it has there: up to `count`, maybe none. */
export async function placeBeside(
  services: Services,
  request: LeaseRequest,
  wish: Wish,
  keep: readonly Placement[],
  count: number,
): Promise<Placement[]> {
  const port = keep[0]?.clientPort ?? request.wanted;
  const found = await findCandidates(services, { ...wish, regions: count + keep.length });
  const added: Placement[] = [];
  let left = found;
  while (added.length < count) {
    const [entry] = spreadRelays(left, [...keep, ...added], 1);
    if (!entry) break;
    left = left.filter((one) => one !== entry);
    const relay = services.env.RELAYS.getByName(entry.relay.id);
    const outcome = await relay.lease({ ...request, wanted: port, strict: true });
    if (outcome.ok) added.push(outcome.value);
  }
  return added;
}

/** Gives a lease back that the session does not use. */
export async function giveBack(
  { env }: Services,
  session: string,
  placements: readonly Placement[],
): Promise<void> {
  for (const { relay } of placements)
    await env.RELAYS.getByName(relay).release({ session, endedUntil: null, port: "rest", leave: false });
}

async function commonPorts(
  { env, random }: Services,
  request: LeaseRequest,
  entries: readonly RelayEntry[],
): Promise<(number | null)[]> {
  if (request.private) return [null];
  if (request.wanted !== null && request.strict) return [request.wanted];
  let among: number[] | null = null;
  for (const { relay } of entries)
    among = await env.RELAYS.getByName(relay.id).offer({ ...request, among, count: portsOffered });
  const ports: number[] = among ?? [];
  const { wanted } = request;
  const first = wanted !== null && ports.includes(wanted) ? [wanted] : [];
  return [...first, ...shuffle(ports, random)].slice(0, portTries);
}

/** All or nothing. */
async function leaseOnAll(
  services: Services,
  request: LeaseRequest,
  entries: readonly RelayEntry[],
): Promise<Placement[] | undefined> {
  const got: Placement[] = [];
  for (const { relay } of entries) {
    const outcome = await services.env.RELAYS.getByName(relay.id).lease(request);
    if (!outcome.ok) {
      await giveBack(services, request.session, got);
      return undefined;
    }
    got.push(outcome.value);
  }
  return got;
}

function noRelay(region: string | null): string {
  const where = region === null ? "No relay is" : `No relay of region ${region} is`;
  return `${where} connected to the control plane; start one with rdv relay, or wait until it is back`;
}
