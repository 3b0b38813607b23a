import type { CreateSession, Session, UpdateSession } from "../protocol/api.ts";
import type { ClientTickets, DirectAnswer, DirectOffer, RequestTickets } from "../protocol/connect.ts";
import { limits } from "../protocol/limits.ts";
import { AgentSignal, parseSignal, pongText } from "../protocol/signals.ts";
import { createAgentLine } from "./agent-line.ts";
import { keyOfRequest } from "./auth.ts";
import { signClientTickets } from "./client-tickets.ts";
import { count } from "./counts.ts";
import { createDirectOffers } from "./direct-offers.ts";
import { mayServe } from "./grants.ts";
import type { HeldSession, SessionGrant } from "./grants.ts";
import type { Admission } from "./invited-session.ts";
import { createInvitedSession } from "./invited-session.ts";
import type { Outcome, Refusal } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import { problemResponse } from "./problems.ts";
import { createSerial } from "./serial.ts";
import type { Services } from "./services.ts";
import { giveBack } from "./place-session.ts";
import { leaseFor } from "./session-lease.ts";
import type { SessionMoves } from "./session-moves.ts";
import { createSessionMoves } from "./session-moves.ts";
import { tellPolicy } from "./session-policy.ts";
import { createSessionStore } from "./session-store.ts";
import type { SessionRecord } from "./sessions.ts";
import {
  detachedRecord,
  dueEnd,
  endedRecord,
  forgetAt,
  heldBy,
  isExpected,
  isPrivate,
  keysOf,
  movedRecord,
  newRecord,
  outlivesInvitation,
  resumedRecord,
  retryMs,
  sameOffer,
  updatedRecord,
  viewOf,
} from "./sessions.ts";
import { refuseSignal } from "./socket-errors.ts";

interface OpenInput {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  /** The key that asks. */
  readonly by: SessionGrant;
  readonly request: CreateSession;
  /** Name of the invitation's object, when somebody else's machine is to be the agent. */
  readonly invitation?: string;
}

interface Opened {
  readonly session: Session;
  readonly created: boolean;
}

/** One session: its lease, its epoch and the control connection of its agent. */
export interface SessionVerbs extends Pick<
  SessionMoves,
  "relayBack" | "relayLost" | "relayDrains" | "whereabouts"
> {
  /** Creates the session, or takes it up again: id, port and epoch stay, the newest request rules the rest. */
  open(input: OpenInput): Promise<Outcome<Opened>>;
  view(input: null): Session | null;
  /**
   * Whether the session is not for this key to take up now: another key's, or its agent is connected and was heard
   * lately, or asked for the session just now and is on its way.
   */
  isTaken(by: SessionGrant): boolean;
  /** Whose session it is; null when there is none. */
  held(input: null): HeldSession | null;
  /** Tickets for a client of the owner's, whether an agent is there or not; null when there is no session. */
  tickets(request: RequestTickets & { readonly key: string }): Promise<Outcome<ClientTickets> | null>;
  /** Passes a client's offer of a direct path to the agent; its answer, or null when there is no session. */
  direct(offer: DirectOffer): Promise<Outcome<DirectAnswer> | null>;
  /** A ticket for the machine that used the invitation's code, and has this key. */
  admit(input: { readonly agentKey: string | null }): Promise<Outcome<Admission>>;
  /** The relay tells whether the invited machine is there. */
  presence(present: boolean): Promise<void>;
  /** Name of the object of the invitation that made the session; null when there is none. */
  invitation(input: null): string | null;
  /** Opens a port on which whoever comes is the agent, from a range or from the address that comes first. */
  openRaw(input: { readonly from: string | null }): Promise<Outcome<string>>;
  /** Whether this is the session's raw port. */
  hasRaw(port: number): Promise<boolean>;
  /** Ends the session; false when there is none. */
  end(reason: string): Promise<boolean>;
  /** Changes the policy, also of what is open at the relay now; null when there is no session. */
  update(request: UpdateSession): Promise<Outcome<Session> | null>;
  /** A key was revoked or has expired: a session that lives by it is over. */
  keyEnded(key: string): Promise<void>;
}

/** The object of one session. */
export function createSessionObject(ctx: ObjectContext, services: Services): DurableModule<SessionVerbs> {
  const { env, now } = services;
  const store = createSessionStore(ctx, now);
  const line = createAgentLine({ ctx, services, store });
  const inTurn = createSerial();
  const invited = createInvitedSession({ services, store, report: async () => await report() });
  const moves = createSessionMoves({ services, store, line, report, end });
  const direct = createDirectOffers({
    now,
    line,
    count: (what) => void count(env, store.read()?.id ?? "", what),
  });
  const view = (record: SessionRecord): Session => viewOf(record, line.heardAt(record));

  async function open({ id, owner, name, by, request, invitation }: OpenInput): Promise<Outcome<Opened>> {
    const before = store.read();
    if (before?.ended) return justEnded;
    if (before && (before.invitation || invitation !== undefined || !mayServe(by, heldBy(before))))
      return namedByAnother;
    const placed = await leaseFor(services, { session: id, owner, name }, request, before?.placements ?? []);
    const current = store.read();
    if (current?.ended) {
      if (placed.ok) await giveBack(services, id, placed.value);
      return justEnded;
    }
    if (!placed.ok) {
      if (!current) await env.ACCOUNTS.getByName(owner).forget(id);
      return placed;
    }
    const fresh = (): SessionRecord =>
      newRecord({ id, owner, name, invitation, madeWith: by.key, placements: placed.value }, request, now());
    if (!current) store.save(fresh());
    else {
      const due = line.heardAt(current) === null;
      const moved = movedRecord(current, placed.value, due);
      store.save({ ...resumedRecord(moved, request, now()), madeWith: by.key });
    }
    const record = store.readRunning();
    // A port that the session gives back is closed before any newer half comes.
    if (current && record && isPrivate(record) && !isPrivate(current)) await tellPolicy(services, record);
    if (current && record && !sameOffer(current, record)) await line.sendPlaced();
    await report();
    const opened = store.readRunning();
    return opened ? done({ session: view(opened), created: current === undefined }) : justEnded;
  }

  async function update(request: UpdateSession): Promise<Outcome<Session> | null> {
    const record = store.read();
    if (!record) return null;
    if (record.ended) return refuse("ended", `The session is over: ${record.ended.reason}`);
    if (outlivesInvitation(record, request, now())) return fixedEnd;
    const changed = store.save(updatedRecord(record, request, now()));
    if (sameOffer(record, changed)) return done(view(changed));
    await tellPolicy(services, changed);
    await line.sendPlaced();
    await report();
    return done(view(store.read() ?? changed));
  }

  async function end(reason: string): Promise<boolean> {
    const record = store.read();
    if (!record) return false;
    if (!record.ended) {
      store.save(endedRecord(record, reason, now()));
      line.sendEnded(reason);
      direct.abandon();
    }
    await release();
    return true;
  }

  /** Gives back what an ended session held; a failure is tried again by the alarm. */
  async function release(): Promise<void> {
    const record = store.read();
    if (!record?.ended || record.ended.released) return;
    const { id, owner, placements, leaving, ticketsUntil } = record;
    try {
      for (const relay of new Set([...placements, ...leaving].map((one) => one.relay)))
        await env.RELAYS.getByName(relay).release({
          session: id,
          endedUntil: ticketsUntil || null,
          port: "rest",
          leave: false,
        });
      await env.ACCOUNTS.getByName(owner).forget(id);
      await invited.ended(record, record.ended.reason);
    } catch {
      return ctx.setAlarm(now() + retryMs);
    }
    const current = store.read();
    if (current?.ended) store.save({ ...current, ended: { ...current.ended, released: true } });
  }

  /** Tells the account's list; a failure is tried again by the alarm. */
  async function report(): Promise<void> {
    const record = store.readRunning();
    if (!record || record.reported >= record.revision) return;
    const account = env.ACCOUNTS.getByName(record.owner);
    const known = await account
      .report({ session: view(record), revision: record.revision, keys: keysOf(record) })
      .catch(() => undefined);
    const current = store.readRunning();
    // It ended meanwhile, and what the account heard first may have been the end.
    if (!current) return await account.forget(record.id);
    if (known === undefined) return;
    if (known === "key_ended") return void (await end(keyGone));
    if (known === "name_taken") return void (await end("another session has taken its name"));
    store.save({ ...current, reported: Math.max(current.reported, record.revision) });
  }

  /** The regular look at a session: is it over, is its agent still there, are its tickets fresh, is it listed. */
  async function look(record: SessionRecord): Promise<void> {
    const reason = dueEnd(record, now());
    if (reason !== undefined) return void (await end(reason));
    const isLive = line.heardAt(record) !== null;
    line.closeDead();
    store.save(record.goneAt === null && !isLive ? detachedRecord(record, now()) : record);
    const renewAt = record.renewAt ?? record.ticketsAt + limits.ticketRenewMs;
    if (renewAt <= now()) await line.sendPlaced();
    await report();
    await inTurn(() => moves.tidy());
  }

  return {
    verbs: {
      open: async (input) => await inTurn(() => open(input)),
      view: () => {
        const record = store.read();
        return record ? view(record) : null;
      },
      held: () => {
        const record = store.read();
        return record ? heldBy(record) : null;
      },
      isTaken: (by) => {
        const record = store.readRunning();
        if (!record) return false;
        if (!mayServe(by, heldBy(record))) return true;
        // An invited session has no agent's connection; its name is its own while it runs.
        return record.invitation !== null || isExpected(record, now()) || line.heardAt(record) !== null;
      },
      tickets: async (request) => await signClientTickets(services, store, request),
      direct: async (offer) => {
        const record = store.read();
        if (!record) return null;
        if (record.ended) return refuse("ended", `The session is over: ${record.ended.reason}`);
        return await direct.pass(record, offer);
      },
      admit: async ({ agentKey }) => await inTurn(() => invited.admit(agentKey)),
      presence: async (present) => await invited.presence(present),
      openRaw: async ({ from }) => await inTurn(() => invited.openRaw(from)),
      // In turn: a raw port that is being opened has its lease before the session knows it.
      hasRaw: async (port) => await inTurn(async () => invited.hasRaw(port)),
      invitation: () => store.readRunning()?.invitation?.key ?? null,
      end: async (reason) => await end(reason),
      update: async (request) => await inTurn(() => update(request)),
      keyEnded: async (key) => {
        const record = store.readRunning();
        if (record && keysOf(record).includes(key)) await end(keyGone);
      },
      relayBack: async (input) =>
        await inTurn(async () => {
          const known = await moves.relayBack(input);
          await invited.relayBack();
          return known;
        }),
      relayLost: async (input) => await inTurn(() => moves.relayLost(input)),
      relayDrains: async (input) => await inTurn(() => moves.relayDrains(input)),
      whereabouts: (input) => moves.whereabouts(input),
    },
    fetch: async (request) => {
      const key = await keyOfRequest(env, request);
      const record = store.read();
      if (!record) return problemResponse("not_found", "There is no such session");
      if (record.ended) return problemResponse("ended", `The session is over: ${record.ended.reason}`);
      direct.abandon();
      const response = await line.accept(request, record, key);
      await report();
      return response;
    },
    message: async (socket, text) => {
      const signal = refuseSignal(socket, () => parseSignal(AgentSignal, text));
      const record = store.readRunning();
      if (!signal || !record || !line.isRuling(socket, record)) return;
      switch (signal.type) {
        case "ping":
          return socket.send(pongText);
        case "renew":
          return await line.renew();
        case "refused":
        case "lost":
        case "up":
          return await inTurn(() => moves.said(signal));
        case "direct":
          return direct.answered(signal);
        case "path":
          return direct.ended(signal);
        case "bye":
          return void (await end("its agent stopped"));
      }
    },
    closed: async (socket) => {
      const record = store.readRunning();
      if (!record || !line.isRuling(socket, record)) return;
      store.save(detachedRecord(record, now()));
      direct.abandon();
      await report();
    },
    alarm: async () => {
      const record = store.read();
      if (!record?.ended) return record && (await look(record));
      await release();
      if (store.read()?.ended?.released && forgetAt(record) <= now()) await ctx.erase();
    },
  };
}

const fixedEnd: Refusal = refuse(
  "bad_request",
  "ttlSeconds: an invitation can end sooner, not later; make a new one with rdv invite",
);
const keyGone = "the key with which it was opened was revoked or has expired";
const namedByAnother: Refusal = refuse("name_taken", "Another session has this name; choose one with --name");
const justEnded: Refusal = refuse("ended", "The session has just ended; try again");
