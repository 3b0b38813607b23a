import * as z from "zod";
import type { Placement, Relay } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { LinkSignal } from "../protocol/signals.ts";
import { RelaySignal, parseSignal, pongText } from "../protocol/signals.ts";
import { adminAccount, authenticate, readToken } from "./auth.ts";
import { createCell } from "./cell.ts";
import type { Holder, LeaseRequest } from "./leases.ts";
import { portOf } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext, ObjectSocket } from "./platform.ts";
import { problemResponse } from "./problems.ts";
import { createRelayBooks } from "./relay-books.ts";
import { RelayIdentity, foreignHello, foreignKey } from "./relay-identity.ts";
import { reconcile } from "./relay-reconcile.ts";
import { createRelayRounds } from "./relay-rounds.ts";
import { RelayRecord, helloRecord, relayView, removalObstacle } from "./relays.ts";
import type { Services } from "./services.ts";
import { directoryName, regionObjectName, sessionObjectName } from "./services.ts";
import { refuseSignal } from "./socket-errors.ts";

export interface ReleaseInput {
  readonly session: string;
  /** Until when the session's tickets may live, in seconds since 1970; null when the session goes on elsewhere. */
  readonly endedUntil: number | null;
  readonly port: "rest" | "avoid";
  /** Tell the relay that the session has left it. */
  readonly leave: boolean;
}

export interface OfferInput extends Holder {
  /** Ports to choose from; null means all. */
  readonly among: readonly number[] | null;
  readonly count: number;
}

/** One relay: the authority for its port leases, and the server's end of its control link. */
export interface RelayVerbs {
  lease(request: LeaseRequest): Outcome<Placement>;
  /** Ports that a session could have here. */
  offer(input: OfferInput): number[];
  /** Ends a session's lease, and tells the relay when the session is over or has left. */
  release(input: ReleaseInput): void;
  view(input: null): Relay | null;
  /** Takes no new session from now on, and gives those that it has to other relays. */
  drain(input: null): Promise<Outcome<Relay>>;
  /** The relay takes the policy of a session from this ticket, unless it knows a newer one. */
  policy(input: { readonly session: string; readonly ticket: string }): void;
  /** Has the relay open the raw port of this ticket. */
  openRaw(input: { readonly ticket: string }): void;
  /** Takes the relay out of the fleet, when it has nothing to do any more. */
  remove(input: null): Promise<Outcome<null>>;
  /** The id belongs to this key, unless it belongs to one already. */
  reserve(key: string): void;
  /** Gives the id to a key, or to the one that it has, and lets the next hello say the TLS key; false: there is none. */
  rekey(key: string | null): boolean;
  /** A key was revoked or has expired: a link that was opened with it is closed. */
  keyEnded(key: string): void;
}

/** Ended sessions in one `welcome`; more follow as `end` signals, so that no signal exceeds `limits.signalBytes`. */
const endedInWelcome = 500;

/** `lostAt`: since when no link is open; `told`: the sessions know. */
const Absence = z.object({ lostAt: z.number(), told: z.boolean() });

/** The object of one relay. */
export function createRelayObject(ctx: ObjectContext, services: Services): DurableModule<RelayVerbs> {
  const { env, now, signer } = services;
  const record = createCell(ctx.kv, "relay", RelayRecord);
  const identity = createCell(ctx.kv, "identity", RelayIdentity);
  const absence = createCell(ctx.kv, "absence", Absence);
  const isHere = (current: RelayRecord): boolean => lastHeard(current) + limits.deadAfterMs > now();
  const books = createRelayBooks({ ctx, now, random: services.random, record, isHere });
  const release = (input: ReleaseInput): void => {
    books.release(input);
    const { session, endedUntil: until, leave } = input;
    if (until !== null) sendAll({ type: "end", ended: { session, until } });
    else if (leave) sendAll({ type: "leave", session });
  };
  const rounds = createRelayRounds({
    ctx,
    services,
    bySession: books.bySession,
    ports: books.ports,
    drop: (session) => release({ session, endedUntil: null, port: "rest", leave: true }),
  });
  const view = (current: RelayRecord): Relay => relayView(current, lastHeard(current), now());

  const verbs: RelayVerbs = {
    lease: (request) => books.lease(request),
    offer: (input) => books.offer(input),
    release,
    view: () => {
      const current = record.read();
      return current ? view(current) : null;
    },
    drain: async () => {
      const before = record.read();
      if (!before) return unknownRelay;
      const current = { ...before, draining: true };
      record.write(current);
      await report(current);
      rounds.start("drain");
      return done(view(current));
    },
    reserve: (key) => {
      if (!identity.read()) identity.write({ key, tls: null, open: true });
    },
    rekey: (wanted) => {
      const before = identity.read();
      const key = wanted ?? before?.key;
      if (key === undefined || (!before && !record.read())) return false;
      identity.write({ key, tls: before?.tls ?? null, open: true });
      for (const socket of ctx.sockets())
        if (attachmentOf(socket).key !== key) socket.close(4_001, "the relay has another key now");
      return true;
    },
    keyEnded: (key) => {
      if (record.read()) sendAll({ type: "key_ended", ended: books.endKey(key) });
      for (const socket of ctx.sockets())
        if (attachmentOf(socket).key === key) socket.close(4_001, "its key was revoked or has expired");
    },
    openRaw: ({ ticket }) => sendAll({ type: "raw", ticket }),
    policy: ({ session, ticket }) => {
      if (books.bySession.get(session) !== undefined) sendAll({ type: "policy", ticket });
    },
    remove: async () => {
      const current = record.read();
      if (!current && identity.read()) {
        identity.clear();
        return done(null);
      }
      if (!current) return unknownRelay;
      const obstacle = removalObstacle(view(current));
      if (obstacle !== undefined) return refuse("relay_busy", obstacle);
      await env.REGIONS.getByName(regionObjectName(current.region)).forget(current.id);
      sendAll({ type: "removed" });
      for (const socket of ctx.sockets()) socket.close(4_003, "removed from the fleet");
      await ctx.erase();
      return done(null);
    },
  };

  /** When a socket was last heard; a new one counts as heard. */
  function heardAt(socket: ObjectSocket): number {
    return Math.max(attachmentOf(socket).acceptedAt, ctx.heardAt(socket) ?? 0);
  }

  /** Closes a link that never said hello. */
  function closeSilent(): void {
    for (const socket of ctx.sockets()) {
      const { welcomed, acceptedAt } = attachmentOf(socket);
      if (!welcomed && acceptedAt + limits.deadAfterMs <= now()) socket.close(4_002, "no hello");
    }
  }

  function lastHeard(current: RelayRecord): number {
    return Math.max(current.seenAt, ...ctx.sockets().map((socket) => ctx.heardAt(socket) ?? 0));
  }

  function sendAll(signal: LinkSignal): void {
    for (const socket of ctx.sockets()) if (attachmentOf(socket).welcomed) send(socket, signal);
  }

  /** Tells the region how the relay is. */
  async function report(current: RelayRecord): Promise<void> {
    const linked = ctx.sockets().length > 0;
    await env.REGIONS.getByName(regionObjectName(current.region)).report({ relay: view(current), linked });
  }

  async function hello(socket: ObjectSocket, signal: Hello): Promise<void> {
    if (signal.ports.from > signal.ports.to) return socket.close(1_008, "ports: from is above to");
    const { id, key, region } = attachmentOf(socket);
    // The key may have been revoked while the link was being made.
    if (!(await env.ACCOUNTS.getByName(adminAccount).isValidKey(key)))
      return socket.close(4_001, "its key was revoked or has expired");
    const belongs = identity.read();
    const foreign = foreignKey(id, belongs, key) ?? foreignHello(id, belongs, region, signal);
    if (foreign !== undefined) {
      send(socket, { type: "refused", detail: foreign });
      return socket.close(4_004, "refused");
    }
    identity.write({ key, tls: signal.tls, open: false });
    for (const one of ctx.sockets())
      if (one !== socket) one.close(4_001, "a newer link of this relay took over");
    const before = record.read();
    const current = helloRecord(before, id, signal, now());
    record.write(current);
    absence.clear();
    if (before && before.region !== current.region)
      await env.REGIONS.getByName(regionObjectName(before.region)).forget(id);
    await env.REGIONS.getByName(directoryName).addRegion(current.region);
    await report(current);
    // Not before the region knows it: a relay that was welcomed can be given sessions.
    welcome(socket);
    if (before) rounds.start("back");
  }

  function welcome(socket: ObjectSocket): void {
    const ended = books.endedNow();
    send(socket, {
      type: "welcome",
      jwks: jwksNow(),
      ended: ended.slice(0, endedInWelcome),
    });
    for (const one of ended.slice(endedInWelcome)) send(socket, { type: "end", ended: one });
    for (const one of books.keysEndedNow()) send(socket, { type: "key_ended", ended: one });
    socket.serializeAttachment({
      ...attachmentOf(socket),
      welcomed: true,
      kids: kidsNow(),
    } satisfies Attachment);
  }

  /** A rotation changes the keys while the link is open. */
  function tellKeys(socket: ObjectSocket): void {
    const attachment = attachmentOf(socket);
    const kids = kidsNow();
    if (!attachment.welcomed || attachment.kids === kids) return;
    send(socket, { type: "keys", jwks: jwksNow() });
    socket.serializeAttachment({ ...attachment, kids } satisfies Attachment);
  }

  function jwksNow(): { keys: Record<string, unknown>[] } {
    return { keys: signer.jwks().keys.map((key) => ({ ...key })) };
  }

  function kidsNow(): string {
    return JSON.stringify(signer.jwks().keys.map(({ kid }) => kid));
  }

  async function compare(
    socket: ObjectSocket,
    { sessions }: Extract<RelaySignal, { type: "sessions" }>,
  ): Promise<void> {
    const { id } = attachmentOf(socket);
    const leasedPort = (session: string) => portOf(books.bySession.get(session));
    const lease = (request: LeaseRequest): Outcome<unknown> => books.lease(request);
    for (const signal of await reconcile(id, sessions, { services, leasedPort, lease })) sendAll(signal);
  }

  async function takeLoad({ load }: Extract<RelaySignal, { type: "load" }>): Promise<void> {
    const current = record.read();
    if (!current) return;
    const next = { ...current, load, seenAt: now() };
    record.write(next);
    await report(next);
  }

  /** Follows the absence of the link; gives the time at which it has to be looked at again, or null. */
  async function watchLink(current: RelayRecord): Promise<number | null> {
    const sockets = ctx.sockets();
    const linked = sockets.length > 0;
    const deadAt = Math.max(lastHeard(current), ...sockets.map(heardAt)) + limits.deadAfterMs;
    if (linked && deadAt > now()) return deadAt;
    for (const socket of sockets) socket.close(4_002, "no heartbeat");
    // A link that was silent that long needs no further patience.
    const missing = absence.read() ?? { lostAt: linked ? now() - limits.relayLostMs : now(), told: false };
    const toldAt = missing.lostAt + limits.relayLostMs;
    const told = missing.told || toldAt <= now();
    if (told && !missing.told) rounds.start("lost");
    absence.write({ ...missing, told });
    if (told) await report(current);
    // Once more when it counts as gone, for the region's list.
    if (told) return deadAt > now() ? deadAt : null;
    return toldAt;
  }

  /** When the sessions have to be told that the link is lost; infinite when it is not, or they know. */
  function toldAt(): number {
    const missing = absence.read();
    return missing && !missing.told ? missing.lostAt + limits.relayLostMs : Infinity;
  }

  return {
    verbs,
    fetch: async (request) => {
      const id = new URL(request.url).pathname.split("/")[3];
      if (id === undefined) return problemResponse("not_found", "No such relay");
      const { key, region } = await authenticate(
        env,
        await readToken(env, request.headers.get("authorization")),
      );
      const foreign = foreignKey(id, identity.read(), key);
      if (foreign !== undefined) return problemResponse("forbidden", foreign);
      const { socket, response } = ctx.accept(request);
      const acceptedAt = now();
      socket.serializeAttachment({ id, key, region, acceptedAt, welcomed: false } satisfies Attachment);
      ctx.setAlarm(now() + limits.deadAfterMs);
      return response;
    },
    message: async (socket, text) => {
      const signal = refuseSignal(socket, () => parseSignal(RelaySignal, text));
      if (signal === undefined) return;
      switch (signal.type) {
        case "ping":
          return socket.send(pongText);
        case "hello":
          return await hello(socket, signal);
        case "sessions":
          return await compare(socket, signal);
        case "load":
          tellKeys(socket);
          return await takeLoad(signal);
        case "spent":
          // A relay has a say in what it carries, and in nothing else.
          if (books.bySession.get(signal.session) === undefined) return;
          return void (await env.SESSIONS.getByName(sessionObjectName(signal.owner, signal.session)).end(
            "its byte budget is used up",
          ));
        case "presence":
          if (books.bySession.get(signal.session) === undefined) return;
          return await env.SESSIONS.getByName(sessionObjectName(signal.owner, signal.session)).presence(
            signal.present,
          );
      }
    },
    closed: async () => {
      const current = record.read();
      if (!current || ctx.sockets().length > 0) return;
      if (!absence.read()) absence.write({ lostAt: now(), told: false });
      ctx.setAlarm(now() + limits.relayLostMs);
      await report(current);
    },
    alarm: async () => {
      books.forgetEnded();
      closeSilent();
      const current = record.read();
      if (!current) return;
      const linkAt = await watchLink(current);
      const roundAt = await rounds.continue(record.read() ?? current);
      // The link may have been lost meanwhile.
      const next = Math.min(linkAt ?? Infinity, roundAt ?? Infinity, toldAt());
      if (next < Infinity) ctx.setAlarm(Math.max(now(), next));
    },
  };
}

type Hello = Extract<RelaySignal, { type: "hello" }>;

const unknownRelay = refuse("not_found", "There is no such relay; rdv relays lists them");

/** `welcomed`: the first answer is out, other signals may follow. */
const Attachment = z.object({
  id: z.string(),
  /** Id of the key with which the link was opened, and the only region that it may say. */
  key: z.string(),
  region: z.string().nullable(),
  acceptedAt: z.number(),
  welcomed: z.boolean(),
  /** Ids of the keys that it was sent last; absent before `welcome`. */
  kids: z.string().optional(),
});
type Attachment = z.infer<typeof Attachment>;

function attachmentOf(socket: ObjectSocket): Attachment {
  return Attachment.parse(socket.deserializeAttachment());
}

function send(socket: ObjectSocket, signal: LinkSignal): void {
  socket.send(JSON.stringify(signal));
}
