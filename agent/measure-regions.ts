import { dialOut } from "../net/dial-out.ts";
import { noProxies } from "../net/proxy/proxies.ts";
import type { Proxies } from "../net/proxy/proxies.ts";
import type { RegionLatency, RelayCandidate } from "../protocol/api.ts";

/** Connects to each relay; the fastest counts. */
const tries = 3;
/** A region that takes longer to answer is as far as one can be. */
const tryMs = 1_000;

/**
 * How far each region is from here, by TCP connects to its relays' shared ports, all relays at once. Regions that do
 * not answer are left out; through a proxy its way counts as well. With relays of one region alone nothing is measured.
 */
export async function measureRegions(
  candidates: readonly RelayCandidate[],
  signal: AbortSignal,
  proxies: Proxies = noProxies,
  now: () => number = () => performance.now(),
): Promise<RegionLatency[]> {
  if (new Set(candidates.map(({ region }) => region)).size < 2) return [];
  const best = new Map<string, number>();
  await Promise.all(
    candidates.map(async (relay) => {
      const ms = await measure(relay, signal, proxies, now);
      if (ms !== undefined) best.set(relay.region, Math.min(ms, best.get(relay.region) ?? Infinity));
    }),
  );
  return [...best].map(([region, ms]) => ({ region, ms: Math.round(ms * 10) / 10 }));
}

async function measure(
  { host, sharedPort: port }: RelayCandidate,
  signal: AbortSignal,
  proxies: Proxies,
  now: () => number,
): Promise<number | undefined> {
  let best: number | undefined;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const start = now();
    const socket = await dialOut({ use: "half", proxies, host, port, signal, timeoutMs: tryMs }).catch(
      () => undefined,
    );
    if (!socket) return best;
    best = Math.min(best ?? Infinity, now() - start);
    socket.destroy();
  }
  return best;
}
