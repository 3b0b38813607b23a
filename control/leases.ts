import * as z from "zod";
import { limits } from "../protocol/limits.ts";
import { hasRoom } from "../protocol/shares.ts";
import { AccountId, Port, SessionId, SessionName } from "../protocol/api.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";

/** What a relay's port is used for; a port without entry is free. */
export const PortEntry = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("leased"), session: SessionId, owner: AccountId, name: SessionName }),
  /** Freed lately: only a session of the same owner and name gets it until then. */
  z.object({ kind: z.literal("resting"), owner: AccountId, name: SessionName, until: z.number() }),
  /** The relay could not listen there, as the agent of this owner said. */
  z.object({ kind: z.literal("unavailable"), owner: AccountId.optional(), until: z.number() }),
]);
export type PortEntry = z.infer<typeof PortEntry>;

/** What a session has at a relay: a port; or, when it is private, a place without one, of which this is the owner. */
export const Lease = z.union([Port, z.object({ owner: AccountId })]);
export type Lease = z.infer<typeof Lease>;

/** A session's raw port has a lease of its own, under a name that is no session's. */
export function rawLease(session: string): string {
  return `${session}${rawMark}`;
}

/** Whether a lease is that of a raw port, which nobody moves: its session gives it back. */
export function isRawLease(session: string): boolean {
  return session.length === sessionIdLength + rawMark.length && session.endsWith(rawMark);
}

/** The session that a raw port's lease belongs to. */
export function sessionOfRaw(lease: string): string {
  return lease.slice(0, sessionIdLength);
}

const rawMark = "raw";
/** `s_` and 26 characters (identifiers.ts). */
const sessionIdLength = 28;

interface Entries<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): unknown;
  delete(key: string): unknown;
}

/**
 * The books of one relay. `ports` is keyed by the port, `bySession` by session id, `byName` by `owner/name` (resting
 * ports), `kept` by owner: its ports that rest or are avoided, the one that is kept longest first; `leased` by owner, and
 * for `everybody`: how many ports sessions have.
 */
export interface LeaseBook {
  readonly ports: Entries<PortEntry>;
  readonly bySession: Entries<Lease>;
  readonly byName: Entries<number>;
  readonly kept: Entries<readonly number[]> & { entries(): Iterable<[string, readonly number[]]> };
  readonly leased: Entries<number>;
}

/** No owner's id. */
const everybody = "all";

/** Ports that one owner may keep from others without a session: this share of the range … */
const keptShare = 1 / 16;
/** … and in a small range at least so many. */
const keptAtLeast = 8;

export interface Holder {
  readonly session: string;
  readonly owner: string;
  readonly name: string;
}

export interface LeaseRequest extends Holder {
  /** The session needs a place and no port. */
  readonly private: boolean;
  /** The port that the session would like. */
  readonly wanted: number | null;
  /** Refuse instead of giving another port than `wanted`. */
  readonly strict: boolean;
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Leases a port, idempotently: a session that has one keeps it, unless it now insists on another.
 * Order of choice: the wanted port, the port that rests for this owner and name, the next free one after `cursor`.
 * A private session gets a place without port (null), and gives back the port that it had.
 */
export function leasePort(
  book: LeaseBook,
  request: LeaseRequest,
  range: PortRange,
  cursor: number,
  now: number,
): Outcome<{ port: number | null; cursor: number }> {
  const held = portOf(book.bySession.get(request.session));
  if (request.private) {
    if (typeof held === "number") releasePort(book, request.session, "rest", range, now);
    book.bySession.set(request.session, { owner: request.owner });
    return done({ port: null, cursor });
  }
  if (typeof held === "number" && (!request.strict || request.wanted === null || request.wanted === held))
    return done({ port: held, cursor });
  if (typeof held !== "number" && !hasShareLeft(book, request.owner, range)) return refuseShare(range);
  const choice = choosePort(book, request, range, cursor, now);
  if (!choice.ok) return choice;
  if (held !== undefined) releasePort(book, request.session, "rest", range, now);
  const { port } = choice.value;
  forgetEntry(book, port);
  book.ports.set(String(port), {
    kind: "leased",
    session: request.session,
    owner: request.owner,
    name: request.name,
  });
  book.bySession.set(request.session, port);
  countLeased(book, request.owner, 1);
  return choice;
}

/** Live leases are never taken away, so whoever has most of the ports gets no more while there is room for others. */
function hasShareLeft(book: LeaseBook, owner: string, { from, to }: PortRange): boolean {
  const free = to - from + 1 - (book.leased.get(everybody) ?? 0);
  // When none is left the search says so.
  return free <= 0 || hasRoom(book.leased.get(owner) ?? 0, free, limits.accountGreed);
}

function countLeased(book: LeaseBook, owner: string, change: 1 | -1): void {
  for (const holder of [owner, everybody]) {
    const leased = (book.leased.get(holder) ?? 0) + change;
    if (leased > 0) book.leased.set(holder, leased);
    else book.leased.delete(holder);
  }
}

/**
 * Ends a session's lease: the port then rests for its owner and name, or is avoided because the relay cannot listen
 * there. Who comes and goes quickly keeps no more than a share of the ports: the oldest of them becomes free.
 */
export function releasePort(
  book: LeaseBook,
  session: string,
  next: "rest" | "avoid",
  range: PortRange,
  now: number,
): void {
  const port = portOf(book.bySession.get(session));
  book.bySession.delete(session);
  if (typeof port !== "number") return;
  const entry = book.ports.get(String(port));
  if (entry?.kind !== "leased" || entry.session !== session) return;
  const until = now + limits.stickyMs;
  const { owner, name } = entry;
  countLeased(book, owner, -1);
  if (next === "avoid") book.ports.set(String(port), { kind: "unavailable", owner, until });
  else {
    dropRest(book, owner, name);
    book.ports.set(String(port), { kind: "resting", owner, name, until });
    book.byName.set(restKey(owner, name), port);
  }
  keep(book, owner, port, range);
}

/** How many ports one owner may keep without a session. */
export function keptAtMost({ from, to }: PortRange): number {
  return Math.max(keptAtLeast, Math.ceil((to - from + 1) * keptShare));
}

function keep(book: LeaseBook, owner: string, port: number, range: PortRange): void {
  const kept = [...(book.kept.get(owner) ?? []), port];
  book.kept.set(owner, kept);
  for (const oldest of kept.slice(0, Math.max(0, kept.length - keptAtMost(range)))) forgetEntry(book, oldest);
}

/** The port of a lease: null when it has none, undefined when there is no lease. */
export function portOf(lease: Lease | undefined): number | null | undefined {
  return typeof lease === "object" ? null : lease;
}

/** Ports that the session could have now: of `among`, or of the whole range from `start` on; at most `count`. */
export function offerPorts(
  book: LeaseBook,
  holder: Holder,
  range: PortRange,
  { among, start, count }: { among: readonly number[] | null; start: number; count: number },
  now: number,
): number[] {
  const free = (port: number): boolean => obstacleAt(book, port, holder, range, now) === undefined;
  if (among) return among.filter(free).slice(0, count);
  const size = range.to - range.from + 1;
  const offered: number[] = [];
  for (let step = 0; step < size && offered.length < count; step += 1) {
    const port = range.from + ((start - range.from + step) % size);
    if (free(port)) offered.push(port);
  }
  return offered;
}

function choosePort(
  book: LeaseBook,
  request: LeaseRequest,
  range: PortRange,
  cursor: number,
  now: number,
): Outcome<{ port: number; cursor: number }> {
  const { wanted } = request;
  if (wanted !== null) {
    const obstacle = obstacleAt(book, wanted, request, range, now);
    if (obstacle === undefined) return done({ port: wanted, cursor });
    if (request.strict) return refuseWanted(wanted, obstacle, range);
  }
  const rested = book.byName.get(restKey(request.owner, request.name));
  if (rested !== undefined && obstacleAt(book, rested, request, range, now) === undefined)
    return done({ port: rested, cursor });
  return nextFree(book, request, range, cursor, now);
}

function nextFree(
  book: LeaseBook,
  holder: Holder,
  range: PortRange,
  cursor: number,
  now: number,
): Outcome<{ port: number; cursor: number }> {
  const size = range.to - range.from + 1;
  const start = cursor >= range.from && cursor <= range.to ? cursor : range.from;
  for (let step = 0; step < size; step += 1) {
    const port = range.from + ((start - range.from + step) % size);
    if (obstacleAt(book, port, holder, range, now) !== undefined) continue;
    return done({ port, cursor: port === range.to ? range.from : port + 1 });
  }
  const rested = restingOfLargest(book, range);
  if (rested !== undefined) return done({ port: rested, cursor });
  return refuse(
    "full",
    `All ${size} ports of the relay are leased or unusable; end a session or wait some minutes`,
  );
}

/** The port that has rested longest for the owner who keeps the most: it gives way when nothing else is free. */
function restingOfLargest(book: LeaseBook, range: PortRange): number | undefined {
  let largest: number[] = [];
  for (const [, kept] of book.kept.entries()) {
    const resting = kept.filter((port) => port >= range.from && port <= range.to && isResting(book, port));
    if (resting.length > largest.length) largest = resting;
  }
  return largest[0];
}

function isResting(book: LeaseBook, port: number): boolean {
  return book.ports.get(String(port))?.kind === "resting";
}

function refuseShare({ from, to }: PortRange): Outcome<never> {
  return refuse(
    "full",
    `The account has its share of the relay's ${to - from + 1} ports, and the rest is for others; end a session`,
  );
}

type Obstacle = "taken" | "unavailable" | "outside";

function obstacleAt(
  book: LeaseBook,
  port: number,
  holder: Holder,
  range: PortRange,
  now: number,
): Obstacle | undefined {
  if (port < range.from || port > range.to) return "outside";
  const entry = book.ports.get(String(port));
  if (entry === undefined || (entry.kind !== "leased" && entry.until <= now)) return undefined;
  if (entry.kind === "unavailable") return "unavailable";
  if (entry.kind === "leased") return entry.session === holder.session ? undefined : "taken";
  return entry.owner === holder.owner && entry.name === holder.name ? undefined : "taken";
}

function refuseWanted(port: number, obstacle: Obstacle, range: PortRange): Outcome<never> {
  if (obstacle === "taken")
    return refuse(
      "port_taken",
      `Port ${port} belongs to another session; leave the port out or choose another`,
    );
  if (obstacle === "outside")
    return refuse("port_unavailable", `Port ${port} is outside the relay's range ${range.from}-${range.to}`);
  return refuse("port_unavailable", `The relay cannot listen on port ${port}; choose another`);
}

/** The port of a session that is over becomes free, or another session's. */
function forgetEntry(book: LeaseBook, port: number): void {
  const entry = book.ports.get(String(port));
  if (entry === undefined || entry.kind === "leased") return;
  book.ports.delete(String(port));
  if (entry.kind === "resting") book.byName.delete(restKey(entry.owner, entry.name));
  if (entry.owner === undefined) return;
  const kept = book.kept.get(entry.owner)?.filter((one) => one !== port) ?? [];
  if (kept.length > 0) book.kept.set(entry.owner, kept);
  else book.kept.delete(entry.owner);
}

/** One port rests for one name: an older one becomes free, so the books stay bounded by the port range. */
function dropRest(book: LeaseBook, owner: string, name: string): void {
  const port = book.byName.get(restKey(owner, name));
  if (port !== undefined) forgetEntry(book, port);
}

function restKey(owner: string, name: string): string {
  return `${owner}/${name}`;
}
