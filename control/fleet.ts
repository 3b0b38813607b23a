import type { Placement, Relay } from "../protocol/api.ts";
import type { LeaseRequest } from "./leases.ts";
import type { Outcome, Refusal } from "./outcome.ts";
import { refuse } from "./outcome.ts";
import type { RelayEntry } from "./placement.ts";
import { loadOf, shuffle } from "./placement.ts";
import type { Services } from "./services.ts";
import { directoryName, regionObjectName } from "./services.ts";

/** Regions that are compared for a session that may go anywhere. */
const regionsCompared = 2;

/** Every relay of every region. */
export async function listRelays({ env }: Services): Promise<Relay[]> {
  const regions = await env.REGIONS.getByName(directoryName).regions();
  const lists = await Promise.all(
    regions.map((region) => env.REGIONS.getByName(regionObjectName(region)).list()),
  );
  return lists.flat();
}

/** Leases a port for a session on the best relay of `region` (any region when undefined) other than `except`. */
export async function placeSession(
  services: Services,
  request: LeaseRequest,
  region: string | undefined,
  except: string | null = null,
): Promise<Outcome<Placement>> {
  const candidates = await findCandidates(services, region, except);
  let refusal: Refusal = refuse("no_relay", noRelay(region));
  for (const { relay } of candidates) {
    const outcome = await services.env.RELAYS.getByName(relay.id).lease(request);
    if (outcome.ok) return outcome;
    refusal = outcome;
  }
  return refusal;
}

async function findCandidates(
  services: Services,
  region: string | undefined,
  except: string | null,
): Promise<RelayEntry[]> {
  const { env, random } = services;
  const choose = async (name: string): Promise<RelayEntry[]> =>
    await env.REGIONS.getByName(regionObjectName(name)).choose({ except });
  if (region !== undefined) return await choose(region);
  const regions = shuffle(await env.REGIONS.getByName(directoryName).regions(), random);
  for (let first = 0; first < regions.length; first += regionsCompared) {
    const found = await Promise.all(regions.slice(first, first + regionsCompared).map(choose));
    if (
      found.some((entries) => entries.some((entry) => entry.linked)) ||
      first + regionsCompared >= regions.length
    )
      return mergeByFirst(found);
  }
  return [];
}

/** The region whose best relay is less loaded goes first. */
function mergeByFirst(lists: RelayEntry[][]): RelayEntry[] {
  const cost = ([first]: RelayEntry[]): number =>
    first === undefined ? 3 : first.linked ? loadOf(first.relay) : 2;
  return lists.sort((a, b) => cost(a) - cost(b)).flat();
}

function noRelay(region: string | undefined): string {
  const where = region === undefined ? "No relay is" : `No relay of region ${region} is`;
  return `${where} connected to the control plane; start one with rdv relay, or wait until it is back`;
}
