import type { Placement } from "../protocol/api.ts";
import type { AgentSignal } from "../protocol/signals.ts";
import type { AgentLine } from "./agent-line.ts";
import type { Outcome } from "./outcome.ts";
import { giveBack } from "./place-session.ts";
import type { Services } from "./services.ts";
import { leaseAfterRefusal, leaseElsewhere, leaseMissing } from "./session-lease.ts";
import type { SessionStore } from "./session-store.ts";
import type { SessionRecord } from "./sessions.ts";
import { movedRecord, sameOffer } from "./sessions.ts";
import { agentLost, linkLost, verdict, wellAgain } from "./troubles.ts";

/** Where a session is, seen from one relay. */
export type Whereabouts =
  | { readonly type: "here"; readonly name: string }
  /** The session has another place, but this relay may serve until the agent is there. */
  | { readonly type: "leaving" }
  | { readonly type: "elsewhere" }
  | { readonly type: "over" };

/** How a session follows its relays: every verb may be repeated and comes in any order. Not to be run at once. */
export interface SessionMoves {
  /** The relay is back, maybe at another address. False: the session has no lease there any more. */
  relayBack(input: { readonly placement: Placement; readonly withinMs: number }): Promise<boolean>;
  /** The relay's link is lost for good. */
  relayLost(input: { readonly relay: string }): Promise<boolean>;
  /** The relay wants to be left. */
  relayDrains(input: { readonly relay: string }): Promise<boolean>;
  whereabouts(input: { readonly relay: string; readonly port: number | null }): Whereabouts;
  /** What the agent says about a relay. */
  said(signal: Extract<AgentSignal, { type: "refused" | "lost" | "up" }>): Promise<void>;
  /** Gives back leases that are due, and takes those that the session lacks. */
  tidy(): Promise<void>;
  /** Stores other placements, tells the agent, and leaves the relays that are not among them. */
  moveTo(placements: Placement[]): Promise<void>;
}

interface MoveDeps {
  readonly services: Services;
  readonly store: SessionStore;
  readonly line: AgentLine;
  /** Tells the account's list. */
  readonly report: () => Promise<void>;
  readonly end: (reason: string) => Promise<unknown>;
}

export function createSessionMoves({ services, store, line, report, end }: MoveDeps): SessionMoves {
  const { env, now } = services;
  const placeOf = (record: SessionRecord | undefined, relay: string): Placement | undefined =>
    record?.placements.find((one) => one.relay === relay);

  async function moveTo(placements: Placement[], lost = false): Promise<void> {
    const record = store.readRunning();
    if (!record) return;
    // A living agent says when its halves wait at the new place; without one there is nothing to wait for.
    const due = lost || line.heardAt(record) === null;
    store.save(movedRecord(record, placements, due));
    await line.sendPlaced();
    await report();
    await releaseDue();
  }

  /** Gives up one place for another relay, if there is one. */
  async function moveFrom(relay: string, lost: boolean): Promise<void> {
    const record = store.readRunning();
    const old = placeOf(record, relay);
    // An invited machine has a ticket for one relay and nobody who could tell it of another.
    if (!record || !old || record.invitation) return;
    await take(record, await leaseElsewhere(services, record, old), lost);
  }

  async function take(record: SessionRecord, placed: Outcome<Placement[]>, lost: boolean): Promise<void> {
    if (!placed.ok) return;
    const current = store.readRunning();
    if (current?.revision === record.revision || (current && sameOffer(current, record)))
      return await moveTo(placed.value, lost);
    const kept = new Set(current?.placements.map(({ relay }) => relay));
    await giveBack(
      services,
      record.id,
      placed.value.filter(({ relay }) => !kept.has(relay)),
    );
  }

  async function releaseDue(): Promise<void> {
    const record = store.readRunning();
    for (const { relay } of record?.leaving.filter(({ due }) => due) ?? []) {
      const input = { session: record?.id ?? "", endedUntil: null, port: "rest", leave: true } as const;
      const released = await env.RELAYS.getByName(relay)
        .release(input)
        .then(
          () => true,
          () => false,
        );
      const current = store.readRunning();
      if (!released || !current) return;
      store.save({ ...current, leaving: current.leaving.filter((one) => one.relay !== relay || !one.due) });
    }
  }

  /** Follows what is known about a relay. */
  async function judge(relay: string): Promise<void> {
    const record = store.readRunning();
    if (!record) return;
    const what = verdict(record.troubles, relay, now());
    if (what === "move") await moveFrom(relay, true);
    else if (what === "ask_agent") line.sendCheck(record, relay);
  }

  async function refused(signal: Extract<AgentSignal, { type: "refused" }>): Promise<void> {
    const record = store.readRunning();
    if (!record) return;
    const old = placeOf(record, signal.relay);
    const noPort = signal.code === "port_unavailable" && signal.clientPort === null;
    if (old?.clientPort !== signal.clientPort || signal.code === "ticket_invalid" || noPort)
      return await line.sendPlaced();
    const placed = await leaseAfterRefusal(services, record, old, signal.code);
    // Otherwise the relay may take the session later: the agent goes on trying.
    if (!placed.ok && placed.code === "port_unavailable") return void (await end(placed.detail));
    await take(record, placed, true);
  }

  return {
    moveTo,
    relayBack: async ({ placement, withinMs }) => {
      const { relay } = placement;
      const record = store.readRunning();
      const old = placeOf(record, relay);
      if (!record || !old) return record?.leaving.some((one) => one.relay === relay && !one.due) ?? false;
      if (old.clientPort !== placement.clientPort) return true;
      const well = store.save({ ...record, troubles: wellAgain(record.troubles, relay) });
      const placements = record.placements.map((one) => (one.relay === relay ? placement : one));
      if (sameOffer(well, { ...well, placements })) line.sendDial(well, relay, withinMs);
      else await moveTo(placements);
      return true;
    },
    relayLost: async ({ relay }) => {
      const record = store.readRunning();
      if (!record || !placeOf(record, relay))
        return record?.leaving.some((one) => one.relay === relay) ?? false;
      store.save({ ...record, troubles: linkLost(record.troubles, relay, now()) });
      await judge(relay);
      return true;
    },
    relayDrains: async ({ relay }) => {
      const record = store.readRunning();
      if (!record || !placeOf(record, relay))
        return record?.leaving.some((one) => one.relay === relay && !one.due) ?? false;
      await moveFrom(relay, false);
      return true;
    },
    whereabouts: ({ relay, port }) => {
      const record = store.readRunning();
      if (!record) return { type: "over" };
      const here = placeOf(record, relay);
      if (here && here.clientPort === port) return { type: "here", name: record.name };
      const leaving = record.leaving.some((one) => one.relay === relay && !one.due);
      // A session that has another port at the same relay: the agent's newer ticket closes the old one.
      return { type: leaving || here ? "leaving" : "elsewhere" };
    },
    said: async (signal) => {
      if (signal.type === "refused") return await refused(signal);
      const record = store.readRunning();
      const trouble = record?.troubles.some((one) => one.relay === signal.relay);
      if (!record || !placeOf(record, signal.relay)) return;
      if (signal.type === "up" && record.leaving.length === 0 && !trouble) return;
      if (signal.type === "lost") {
        store.save({ ...record, troubles: agentLost(record.troubles, signal.relay, now()) });
        return await judge(signal.relay);
      }
      const leaving = record.leaving.map(({ relay }) => ({ relay, due: true }));
      store.save({ ...record, leaving, troubles: heardWell(record, signal.relay) });
      await releaseDue();
    },
    tidy: async () => {
      await releaseDue();
      const record = store.readRunning();
      if (!record || record.placements.length >= record.relays) return;
      const placements = await leaseMissing(services, record);
      if (placements.length > record.placements.length)
        await take(record, { ok: true, value: placements }, false);
    },
  };
}

/** The agent reaches the relay: what it said before is out of date, what the control plane saw is not. */
function heardWell({ troubles }: SessionRecord, relay: string): SessionRecord["troubles"] {
  return troubles.map((one) => (one.relay === relay ? { ...one, saidFirst: null, saidLast: null } : one));
}
