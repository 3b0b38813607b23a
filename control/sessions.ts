import * as z from "zod";
import type { AgentAttach, CreateSession, Session, UpdateSession } from "../protocol/api.ts";
import {
  AccountId,
  Fingerprint,
  Placement,
  Policy,
  Port,
  Region,
  RegionLatency,
  RelayId,
  SessionId,
  SessionName,
  Thumbprint,
  addressOn,
} from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { Ticket } from "../protocol/tickets.ts";
import type { HeldSession } from "./grants.ts";
import { PolicyField, changedTerms, requestedTerms } from "./policy.ts";
import type { Terms } from "./policy.ts";
import { Trouble } from "./troubles.ts";

/** A session as its object stores it. Times are milliseconds since 1970 unless the name says otherwise. */
export const SessionRecord = z.object({
  id: SessionId,
  owner: AccountId,
  name: SessionName,
  target: z.string(),
  policy: Policy,
  /** What of it and of its time its owner has changed; see policy.ts. */
  changed: z.array(PolicyField).default([]),
  /** The user chose the port: another one is no substitute. */
  fixedPort: z.boolean(),
  /** Where the session is, with one port at all of them; the first is the one that its address names. */
  placements: z.array(Placement).min(1).max(limits.relaysPerSession),
  /** The region that was asked for; the session stays in it. */
  region: Region.nullable(),
  latencies: z.array(RegionLatency),
  /** Relays that are to carry the session at once. */
  relays: z.number().int(),
  /** Relays whose lease is to be given back: at once when `due`, else when halves wait at the new place. */
  leaving: z.array(z.object({ relay: RelayId, due: z.boolean() })),
  /** Relays of the session that do not seem well. */
  troubles: z.array(Trouble),
  createdAt: z.number(),
  expiresAt: z.number().nullable(),
  /** Counts the agents that connected; the newest one rules. */
  epoch: z.number().int(),
  /** Since when no agent is connected; null while one is. */
  goneAt: z.number().nullable(),
  seenAt: z.number().nullable(),
  /** Until when the agent that asked for the session is on its way; null when it has come. */
  expectedUntil: z.number().nullable().default(null),
  /** What the newest agent said of itself: the key with which it ends encryption, the one that its halves prove. */
  agentKey: Fingerprint.nullable().default(null),
  agentProof: Thumbprint.nullable().default(null),
  ticketsAt: z.number(),
  /** When the agent, which asked for tickets soon after it got some, is to get new ones; null when it waits for none. */
  renewAt: z.number().nullable().default(null),
  /** Latest expiry of any ticket ever signed, in seconds since 1970; 0 when there was none. */
  ticketsUntil: z.number(),
  /** Made by an invitation: its object's name, and since when the invited machine is here (see invited-session.ts). */
  invitation: z
    .object({
      key: z.string(),
      presentSince: z.number().nullable(),
      /** The port on which whoever comes is the agent, and from where they may come. */
      raw: z.object({ port: Port, from: z.string().nullable() }).optional(),
    })
    .nullable()
    .default(null),
  /** Ids of the keys with which it was asked for last, and with which the newest agent came. */
  madeWith: z.string(),
  attachedWith: z.string().nullable(),
  /** Over; `released` once relay and account know. */
  ended: z.object({ reason: z.string(), released: z.boolean() }).nullable(),
  /** Counts the changes that the account's list shows, and the last one that it confirmed. */
  revision: z.number().int(),
  reported: z.number().int(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/** A live session is looked at this often: is the agent's heartbeat still there, are its tickets fresh. */
const presenceMs = limits.stickyMs / 2;
/** An agent that asks for tickets again and again gets them this often, one answer for all that it asked meanwhile. */
export const renewEveryMs = 1_000;
/** A call to another object that failed is tried again after this time. */
export const retryMs = 30_000;

interface NewSession {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly madeWith: string;
  /** Name of the invitation's object, if one makes the session. */
  readonly invitation?: string | undefined;
  readonly placements: Placement[];
}

/** The record of a session that was just placed and waits for its first agent. */
export function newRecord(
  { invitation: key, ...identity }: NewSession,
  request: CreateSession,
  now: number,
): SessionRecord {
  const empty = {
    epoch: 0,
    seenAt: null,
    expectedUntil: now + limits.requestMs,
    agentKey: null,
    agentProof: null,
    ticketsAt: 0,
    renewAt: null,
    ticketsUntil: 0,
    invitation: key === undefined ? null : { key, presentSince: null },
    attachedWith: null,
    ended: null,
    revision: 1,
    reported: 0,
    leaving: [],
    troubles: [],
  };
  return { ...identity, ...empty, ...requested(request, undefined, now), createdAt: now, goneAt: now };
}

/** The record after its owner asked for the session again: the newest request rules, id, port and epoch stay. */
export function resumedRecord(record: SessionRecord, request: CreateSession, now: number): SessionRecord {
  const goneAt = record.goneAt === null ? null : now;
  const expectedUntil = now + limits.requestMs;
  const revision = record.revision + 1;
  return { ...record, ...requested(request, record, now), goneAt, expectedUntil, revision };
}

/** The record after its owner changed the policy. */
export function updatedRecord(record: SessionRecord, request: UpdateSession, now: number): SessionRecord {
  return { ...record, ...changedTerms(record, request, now), revision: record.revision + 1 };
}

/** Whether a change would let an invited session live longer than its code, its tickets and its raw port may. */
export function outlivesInvitation(
  { invitation, expiresAt }: SessionRecord,
  { ttlSeconds }: UpdateSession,
  now: number,
): boolean {
  if (!invitation || ttlSeconds === undefined) return false;
  return ttlSeconds === null || now + ttlSeconds * 1_000 > (expiresAt ?? 0);
}

/** Whether a session has no public port. */
export function isPrivate({ placements }: Pick<SessionRecord, "placements">): boolean {
  return placements[0]?.clientPort === null;
}

/** Whether the agent that asked for the session is still on its way. */
export function isExpected({ expectedUntil }: SessionRecord, now: number): boolean {
  return expectedUntil !== null && expectedUntil > now;
}

/** The keys by which a session lives. */
export function keysOf({ madeWith, attachedWith }: SessionRecord): string[] {
  return attachedWith === null || attachedWith === madeWith ? [madeWith] : [madeWith, attachedWith];
}

/** Whose session it is. */
export function heldBy(record: SessionRecord): HeldSession {
  return { name: record.name, keys: keysOf(record), invited: record.invitation !== null };
}

/** Whether an agent that has tickets for one record needs no new ones for the other. */
export function sameOffer(a: SessionRecord, b: SessionRecord): boolean {
  const offer = ({ policy, placements, expiresAt }: SessionRecord): string =>
    JSON.stringify([policy, placements, expiresAt]);
  return offer(a) === offer(b);
}

/** The record after an agent's connection was accepted; what the agent before said of itself is forgotten. */
export function attachedRecord(record: SessionRecord, attach: AgentAttach, now: number): SessionRecord {
  const { identity: agentKey = null, proof: agentProof = null } = attach;
  const { epoch, revision } = record;
  const here = { goneAt: null, seenAt: now, expectedUntil: null };
  const present = { ...here, epoch: epoch + 1, revision: revision + 1 };
  return { ...record, ...present, agentKey, agentProof };
}

/** The record after the ruling agent went away without goodbye. */
export function detachedRecord(record: SessionRecord, now: number): SessionRecord {
  return { ...record, goneAt: now, seenAt: now, revision: record.revision + 1 };
}

/** The record with another set of placements; relays that it has no longer are to be left, at once when `due`. */
export function movedRecord(record: SessionRecord, placements: Placement[], due: boolean): SessionRecord {
  const kept = new Set(placements.map(({ relay }) => relay));
  const left = record.placements.filter(({ relay }) => !kept.has(relay));
  const leaving = [...record.leaving, ...left.map(({ relay }) => ({ relay, due }))];
  return {
    ...record,
    placements,
    leaving: leaving.filter(({ relay }) => !kept.has(relay)),
    troubles: record.troubles.filter(({ relay }) => kept.has(relay)),
    revision: record.revision + 1,
  };
}

/** The record of a session that is over but still has to be cleaned up. */
export function endedRecord(record: SessionRecord, reason: string, now: number): SessionRecord {
  return { ...record, ended: { reason, released: false }, goneAt: now, revision: record.revision + 1 };
}

/** Why the session has to end now, or undefined. */
export function dueEnd(record: SessionRecord, now: number): string | undefined {
  if (record.expiresAt !== null && record.expiresAt <= now) return "its time is over";
  if (record.goneAt !== null && !record.invitation && record.goneAt + limits.stickyMs <= now)
    return "its agent did not come back";
  return undefined;
}

/** When the object has to look at the session next. */
export function nextLook(record: SessionRecord, now: number): number {
  if (record.ended) return record.ended.released ? forgetAt(record) : now + retryMs;
  const times = [
    record.goneAt === null || record.invitation ? now + presenceMs : record.goneAt + limits.stickyMs,
    record.expiresAt ?? Number.POSITIVE_INFINITY,
    record.renewAt ?? Number.POSITIVE_INFINITY,
    record.reported < record.revision ? now + retryMs : Number.POSITIVE_INFINITY,
    record.leaving.some(({ due }) => due) ? now + retryMs : Number.POSITIVE_INFINITY,
  ];
  return Math.max(now, Math.min(...times));
}

/** An ended session answers "ended" for as long as one of its tickets may be alive, then nobody knows it. */
export function forgetAt(record: SessionRecord): number {
  return (record.ticketsUntil + limits.ticketSkewSeconds) * 1_000;
}

/** What the ruling agent's ticket for one of the placements says; no ticket outlives its session. */
export function ticketFor(record: SessionRecord, placement: Placement, now: number): Ticket {
  const { invitation, agentProof } = record;
  return {
    ...termsOf(record, placement),
    kind: "agent",
    epoch: record.epoch,
    ...(invitation ? { invited: true } : {}),
    ...(agentProof === null ? {} : { cnf: { jkt: agentProof } }),
    // An invited machine has nobody to renew its ticket: that lives as long as the session.
    expires: expiryOf(record, invitation ? Number.POSITIVE_INFINITY : longestLife(now)),
  };
}

/** The ticket of a client of the owner's; `key` asked for it and may end, `proof` is the one that its halves prove. */
export function clientTicketFor(
  record: SessionRecord,
  placement: Placement,
  { key, proof }: { readonly key: string | undefined; readonly proof?: string | undefined },
  now: number,
): Ticket {
  return {
    ...termsOf(record, placement),
    kind: "client",
    // A client may be there before the first agent.
    epoch: Math.max(1, record.epoch),
    ...(key === undefined ? {} : { key }),
    ...(proof === undefined ? {} : { cnf: { jkt: proof } }),
    expires: expiryOf(record, longestLife(now)),
  };
}

function termsOf({ id: session, owner, name, policy, revision }: SessionRecord, placement: Placement) {
  const { relay, clientPort } = placement;
  return { relay, session, owner, name, clientPort, ...policy, revision };
}

/** Seconds since 1970. */
function longestLife(now: number): number {
  return Math.floor(now / 1_000) + limits.ticketSeconds;
}

function expiryOf({ expiresAt }: SessionRecord, longest: number): number {
  return expiresAt === null ? longest : Math.min(longest, Math.ceil(expiresAt / 1_000));
}

/** The session as its owner sees it; `heardAt` is when its agent was last heard, null when it is away. */
export function viewOf(record: SessionRecord, heardAt: number | null): Session {
  const [first] = record.placements;
  const presentAt = record.invitation ? record.invitation.presentSince : heardAt;
  const seenAt = Math.max(record.seenAt ?? 0, presentAt ?? 0);
  return {
    id: record.id,
    name: record.name,
    target: record.target,
    state: record.ended ? "ended" : presentAt === null ? "waiting" : "live",
    epoch: record.epoch,
    address: first ? addressOn(first, record.name) : "",
    private: isPrivate(record),
    agentKey: record.agentKey,
    placements: record.placements,
    policy: record.policy,
    createdAt: isoTime(record.createdAt),
    expiresAt: record.expiresAt === null ? null : isoTime(record.expiresAt),
    seenAt: seenAt === 0 ? null : isoTime(seenAt),
  };
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function requested(
  request: CreateSession,
  before: SessionRecord | undefined,
  now: number,
): Pick<SessionRecord, "target" | "fixedPort" | "region" | "latencies" | "relays"> & Terms {
  return {
    region: request.region ?? null,
    latencies: request.latencies ?? [],
    relays: request.relays ?? 1,
    target: request.target,
    ...requestedTerms(request, before, now),
    fixedPort: request.port !== undefined,
  };
}
