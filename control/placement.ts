import type { Placement, RegionLatency, Relay } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";

/** A relay as a region's directory knows it. */
export interface RelayEntry {
  readonly relay: Relay;
  /** Its control link is open now: a relay without link is chosen only when there is no other. */
  readonly linked: boolean;
}

/** A relay that uses more of its descriptors than this takes no new session: what is left is for the pairs it has. */
const fullDescriptors = 0.9;
/** Event loop delay, 99th percentile, at which a relay counts as fully loaded. */
const fullLagMs = 200;
/** What a choice adds to a load that does not show it yet, and a difference between loads that is none. */
const loadOfChoice = 0.02;
const equalLoad = 0.05;
/** How many relays of a region a session may try before it is refused. */
const tries = 4;
/** Regions whose latencies differ by less than this are equally near. */
const equalMs = 10;

/**
 * Relays for a new session, best first: of two chosen at random the less loaded one (the power of two choices:
 * Mitzenmacher 2001), then the other, then some more in case these refuse. `chosen` says how often a relay was the
 * best one since it last reported its load.
 */
export function chooseRelays(
  entries: readonly RelayEntry[],
  random: () => number,
  now: number,
  chosen: (relay: string) => number = () => 0,
): RelayEntry[] {
  const weigh = ({ relay }: RelayEntry): number => loadOf(relay) + chosen(relay.id) * loadOfChoice;
  const pool = shuffle(
    entries.filter((entry) => isUsable(entry, now)),
    random,
  );
  const linked = pool.filter((entry) => entry.linked);
  const two = linked.slice(0, 2).sort((a, b) => compareLoads(weigh(a), weigh(b)));
  return [...two, ...linked.slice(2), ...pool.filter((entry) => !entry.linked)].slice(0, tries);
}

/** Loads that are nearly alike count as alike, or the noise of the last report would send everybody to one relay. */
function compareLoads(a: number, b: number): number {
  return Math.abs(a - b) < equalLoad ? 0 : a - b;
}

/** How loaded a relay is, from 0 (idle) to 1 and above: the scarcest of its resources counts. */
export function loadOf(relay: Relay): number {
  const leases = relay.leases / (relay.ports.to - relay.ports.from + 1);
  if (relay.load === null) return leases;
  const { descriptors, maxDescriptors, lagMs } = relay.load;
  return Math.max(leases, maxDescriptors > 0 ? descriptors / maxDescriptors : 0, lagMs / fullLagMs);
}

/** Regions by how near they are, the nearest first; those that are equally near are one group. */
export function groupByLatency(latencies: readonly RegionLatency[]): string[][] {
  const sorted = latencies.toSorted((a, b) => a.ms - b.ms);
  const groups: { from: number; regions: string[] }[] = [];
  for (const { region, ms } of sorted) {
    const last = groups.at(-1);
    if (last && ms - last.from < equalMs) last.regions.push(region);
    else groups.push({ from: ms, regions: [region] });
  }
  return groups.map(({ regions }) => regions);
}

/**
 * Relays that are to carry one session together, as far apart as there are: never two on one host, another region
 * rather than another host. `keep` are places that the session has already.
 */
export function spreadRelays(
  candidates: readonly RelayEntry[],
  keep: readonly Placement[],
  count: number,
): RelayEntry[] {
  const hosts = new Set(keep.map(({ host }) => host));
  const regions = new Set(keep.map(({ region }) => region));
  const chosen: RelayEntry[] = [];
  for (const isApart of [
    ({ relay }: RelayEntry) => !regions.has(relay.region) && !hosts.has(relay.host),
    ({ relay }: RelayEntry) => !hosts.has(relay.host),
  ])
    for (const entry of candidates) {
      if (chosen.length === count || !isApart(entry)) continue;
      chosen.push(entry);
      hosts.add(entry.relay.host);
      regions.add(entry.relay.region);
    }
  return chosen;
}

/** Takes new sessions: neither draining nor full, and heard of lately. */
export function isUsable({ relay }: RelayEntry, now: number): boolean {
  if (relay.state !== "up") return false;
  if (relay.seenAt !== null && Date.parse(relay.seenAt) + limits.deadAfterMs <= now) return false;
  if (relay.load === null || relay.load.maxDescriptors === 0) return true;
  return relay.load.descriptors / relay.load.maxDescriptors < fullDescriptors;
}

/** Fisher-Yates shuffle of a copy. */
export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [result[i], result[j]];
    // Both indexes are inside the array, which the compiler cannot see.
    result[i] = b as T;
    result[j] = a as T;
  }
  return result;
}
