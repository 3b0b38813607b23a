import * as z from "zod";
import { Region, Relay } from "../protocol/api.ts";
import { createTable } from "./cell.ts";
import type { RelayEntry } from "./placement.ts";
import { chooseRelays, isUsable } from "./placement.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import type { Services } from "./services.ts";

/** Relays of one region; the object named `directory` holds the list of regions instead. */
export interface RegionVerbs {
  /** A relay tells how it is: the newest word counts. */
  report(entry: RelayEntry): void;
  /** The relay has left this region. */
  forget(relay: string): void;
  list(): Relay[];
  /** Relays for a new session, best first. */
  choose(input: { readonly except: readonly string[] }): RelayEntry[];
  /** Linked relays that take new sessions. */
  usable(input: null): RelayEntry[];
  addRegion(region: string): void;
  regions(): string[];
}

const Entry = z.object({ relay: Relay, linked: z.boolean() });

/** The directory object of one region. */
export function createRegionObject(
  ctx: ObjectContext,
  { random, now }: Services,
): DurableModule<RegionVerbs> {
  const relays = createTable(ctx.kv, "relay", Entry);
  const regions = createTable(ctx.kv, "region", Region);
  const entries = (): RelayEntry[] => [...relays.entries()].map(([, entry]) => entry);
  /** Times that a relay was the best choice since its last report; lost with the object's memory, which does no harm. */
  const chosen = new Map<string, number>();
  return {
    verbs: {
      report: (entry) => {
        relays.set(entry.relay.id, { relay: entry.relay, linked: entry.linked });
        chosen.delete(entry.relay.id);
      },
      forget: (relay) => relays.delete(relay),
      list: () => entries().map((entry) => entry.relay),
      choose: ({ except }) => {
        const possible = entries().filter((entry) => !except.includes(entry.relay.id));
        const best = chooseRelays(possible, random, now(), (relay) => chosen.get(relay) ?? 0);
        const [first] = best;
        if (first) chosen.set(first.relay.id, (chosen.get(first.relay.id) ?? 0) + 1);
        return best;
      },
      usable: () => entries().filter((entry) => entry.linked && isUsable(entry, now())),
      addRegion: (region) => regions.set(region, region),
      regions: () => [...regions.entries()].map(([, region]) => region),
    },
  };
}
