/** What the operator hears about outages. */
export type PresenceEvent = { readonly type: "waiting"; readonly reason: string } | { readonly type: "back" };

/** Which of the parties that an exposure needs are away: the control plane, each relay. */
export interface Presence {
  /** The party is away; said once until it is back. */
  away(party: string, reason: string): void;
  /** The party is back, or not needed any more; `back` is said when nobody is away. */
  back(party: string): void;
}

/** Turns outages of several parties into few events. */
export function createPresence(onEvent: (event: PresenceEvent) => void): Presence {
  const parties = new Set<string>();
  return {
    away(party, reason) {
      if (parties.has(party)) return;
      parties.add(party);
      onEvent({ type: "waiting", reason });
    },
    back(party) {
      if (parties.delete(party) && parties.size === 0) onEvent({ type: "back" });
    },
  };
}
