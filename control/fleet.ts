import type { RegionLatency, Relay, RelayCandidate } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { RelayEntry } from "./placement.ts";
import { groupByLatency, loadOf, shuffle } from "./placement.ts";
import type { Services } from "./services.ts";
import { directoryName, regionObjectName } from "./services.ts";

/** Where a session would like to be. */
export interface Wish {
  /** Nowhere else, when it is not null. */
  readonly region: string | null;
  readonly latencies: readonly RegionLatency[];
  /** Relays that are no choice. */
  readonly except: readonly string[];
  /** Only relays whose control link is open: a session that has a place does not leave it for one that may be gone. */
  readonly linkedOnly: boolean;
  /** Compare relays of at least so many regions. */
  readonly regions: number;
}

/** Regions that are compared for a session that may go anywhere. */
const regionsCompared = 2;
/** Relays that an agent measures in each region. */
const candidatesARegion = 2;

/** Every relay of every region. */
export async function listRelays({ env }: Services): Promise<Relay[]> {
  const regions = await env.REGIONS.getByName(directoryName).regions();
  const lists = await Promise.all(
    regions.map((region) => env.REGIONS.getByName(regionObjectName(region)).list()),
  );
  return lists.flat();
}

/** Some relays of every region, for agents to measure. */
export async function listCandidates(services: Services): Promise<RelayCandidate[]> {
  const lists = await usableByRegion(services);
  return lists
    .filter((entries) => entries.length > 0)
    .slice(0, limits.regionsMeasured)
    .flatMap((entries) => shuffle(entries, services.random).slice(0, candidatesARegion))
    .map(({ relay: { id, region, host, sharedPort, tls } }) => ({ id, region, host, sharedPort, tls }));
}

/** How many relays other than `relay` take sessions now. */
export async function countOthers(services: Services, relay: string): Promise<number> {
  const lists = await usableByRegion(services);
  return lists.flat().filter((entry) => entry.relay.id !== relay).length;
}

/** Relays for a session, best first. */
export async function findCandidates(services: Services, wish: Wish): Promise<RelayEntry[]> {
  const { env, random } = services;
  const choose = async (name: string): Promise<RelayEntry[]> => {
    const entries = await env.REGIONS.getByName(regionObjectName(name)).choose({ except: wish.except });
    return wish.linkedOnly ? entries.filter((entry) => entry.linked) : entries;
  };
  if (wish.region !== null) return await choose(wish.region);
  const near = await fromGroups(groupByLatency(wish.latencies), wish.regions, choose);
  if (near.some((entry) => entry.linked)) return near;
  const measured = new Set(wish.latencies.map(({ region }) => region));
  const all = await env.REGIONS.getByName(directoryName).regions();
  const others = shuffle(
    all.filter((region) => !measured.has(region)),
    random,
  );
  const compared = Math.max(regionsCompared, wish.regions);
  const groups = Array.from({ length: Math.ceil(others.length / compared) }, (_, group) =>
    others.slice(group * compared, (group + 1) * compared),
  );
  return [...near, ...(await fromGroups(groups, wish.regions, choose))];
}

/** Asks one group after the other until there are linked relays of enough regions. */
async function fromGroups(
  groups: readonly (readonly string[])[],
  regions: number,
  choose: (region: string) => Promise<RelayEntry[]>,
): Promise<RelayEntry[]> {
  const found: RelayEntry[] = [];
  for (const group of groups) {
    found.push(...mergeByFirst(await Promise.all(group.map(choose))));
    const linked = found.filter((entry) => entry.linked);
    if (new Set(linked.map((entry) => entry.relay.region)).size >= regions) break;
  }
  return found;
}

/** The region whose best relay is less loaded goes first. */
function mergeByFirst(lists: RelayEntry[][]): RelayEntry[] {
  const cost = ([first]: RelayEntry[]): number =>
    first === undefined ? 3 : first.linked ? loadOf(first.relay) : 2;
  return lists.sort((a, b) => cost(a) - cost(b)).flat();
}

async function usableByRegion({ env }: Services): Promise<RelayEntry[][]> {
  const regions = await env.REGIONS.getByName(directoryName).regions();
  return await Promise.all(
    regions.map((region) => env.REGIONS.getByName(regionObjectName(region)).usable(null)),
  );
}
