import type { CreateSession, Placement, Session } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import { AgentSignal, parseSignal, pongText } from "../protocol/signals.ts";
import { createAgentLine } from "./agent-line.ts";
import type { Outcome, Refusal } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext } from "./platform.ts";
import { problemResponse } from "./problems.ts";
import { createSerial } from "./serial.ts";
import type { Services } from "./services.ts";
import { leaseAfterRefusal, leaseFor } from "./session-lease.ts";
import { createSessionStore } from "./session-store.ts";
import type { SessionRecord } from "./sessions.ts";
import {
  detachedRecord,
  dueEnd,
  endedRecord,
  forgetAt,
  movedRecord,
  newRecord,
  resumedRecord,
  retryMs,
  sameOffer,
  viewOf,
} from "./sessions.ts";
import { refuseSignal } from "./socket-errors.ts";

interface OpenInput {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly request: CreateSession;
}

interface Opened {
  readonly session: Session;
  readonly created: boolean;
}

/** One session: its lease, its epoch and the control connection of its agent. */
export interface SessionVerbs {
  /** Creates the session, or takes it up again: id, port and epoch stay, the newest request rules the rest. */
  open(input: OpenInput): Promise<Outcome<Opened>>;
  view(input: null): Session | null;
  /** Whether an agent is connected and was heard lately. */
  isLive(input: null): boolean;
  /** Ends the session; false when there is none. */
  end(reason: string): Promise<boolean>;
  /** The relay is back, maybe at another address. False: the session has no lease there any more. */
  relayBack(input: { readonly placement: Placement; readonly withinMs: number }): Promise<boolean>;
}

/** The object of one session. */
export function createSessionObject(ctx: ObjectContext, services: Services): DurableModule<SessionVerbs> {
  const { env, now } = services;
  const store = createSessionStore(ctx, now);
  const line = createAgentLine({ ctx, services, store });
  const inTurn = createSerial();
  const view = (record: SessionRecord): Session => viewOf(record, line.heardAt(record));

  async function open({ id, owner, name, request }: OpenInput): Promise<Outcome<Opened>> {
    const before = store.read();
    if (before?.ended) return justEnded;
    const placed = await leaseFor(services, { session: id, owner, name }, request, before?.placement);
    const current = store.read();
    if (current?.ended) {
      if (placed.ok) await giveBack(id, placed.value);
      return justEnded;
    }
    if (!placed.ok) {
      if (!current) await env.ACCOUNTS.getByName(owner).forget(id);
      return placed;
    }
    const fresh = (): SessionRecord =>
      newRecord({ id, owner, name, placement: placed.value }, request, now());
    const record = store.save(current ? resumedRecord(current, placed.value, request, now()) : fresh());
    if (current && !sameOffer(current, record)) await line.sendPlaced();
    await report();
    const opened = store.readRunning();
    return opened ? done({ session: view(opened), created: current === undefined }) : justEnded;
  }

  async function end(reason: string): Promise<boolean> {
    const record = store.read();
    if (!record) return false;
    if (!record.ended) {
      store.save(endedRecord(record, reason, now()));
      line.sendEnded(reason);
    }
    await release();
    return true;
  }

  /** Gives back what an ended session held; a failure is tried again by the alarm. */
  async function release(): Promise<void> {
    const record = store.read();
    if (!record?.ended || record.ended.released) return;
    const { id, owner, placement, ticketsUntil } = record;
    try {
      await env.RELAYS.getByName(placement.relay).release({
        session: id,
        endedUntil: ticketsUntil || null,
        port: "rest",
      });
      await env.ACCOUNTS.getByName(owner).forget(id);
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
      .report({ session: view(record), revision: record.revision })
      .catch(() => undefined);
    const current = store.readRunning();
    if (known === undefined || !current) return;
    if (!known) return void (await end("another session has taken its name"));
    store.save({ ...current, reported: Math.max(current.reported, record.revision) });
  }

  /** Returns a lease that came after the session had ended. */
  async function giveBack(session: string, { relay }: Placement): Promise<void> {
    await env.RELAYS.getByName(relay).release({ session, endedUntil: null, port: "rest" });
  }

  async function move(placement: Placement): Promise<void> {
    const record = store.readRunning();
    if (!record) return;
    store.save(movedRecord(record, placement));
    await line.sendPlaced();
    await report();
  }

  async function refused(signal: Extract<AgentSignal, { type: "refused" }>): Promise<void> {
    const record = store.readRunning();
    if (!record) return;
    const isCurrent =
      signal.relay === record.placement.relay && signal.clientPort === record.placement.clientPort;
    if (!isCurrent || signal.code === "ticket_invalid") return await line.sendPlaced();
    const placed = await leaseAfterRefusal(services, record, signal.code);
    if (placed.ok)
      return store.readRunning() ? await move(placed.value) : await giveBack(record.id, placed.value);
    // Otherwise the relay may take the session later: the agent goes on trying.
    if (signal.code === "port_unavailable") await end(placed.detail);
  }

  /** The regular look at a session: is it over, is its agent still there, are its tickets fresh, is it listed. */
  async function look(record: SessionRecord): Promise<void> {
    const reason = dueEnd(record, now());
    if (reason !== undefined) return void (await end(reason));
    const isLive = line.heardAt(record) !== null;
    line.closeDead();
    store.save(record.goneAt === null && !isLive ? detachedRecord(record, now()) : record);
    if (record.ticketsAt + limits.ticketRenewMs <= now()) await line.sendPlaced();
    await report();
  }

  return {
    verbs: {
      open: async (input) => await inTurn(() => open(input)),
      view: () => {
        const record = store.read();
        return record ? view(record) : null;
      },
      isLive: () => {
        const record = store.readRunning();
        return record !== undefined && line.heardAt(record) !== null;
      },
      end: async (reason) => await end(reason),
      relayBack: async ({ placement, withinMs }) => {
        const record = store.readRunning();
        if (record?.placement.relay !== placement.relay) return false;
        if (record.placement.clientPort !== placement.clientPort) return true;
        if (sameOffer(record, { ...record, placement })) line.sendDial(record, withinMs);
        else await move(placement);
        return true;
      },
    },
    fetch: async (request) => {
      const record = store.read();
      if (!record) return problemResponse("not_found", "There is no such session");
      if (record.ended) return problemResponse("ended", `The session is over: ${record.ended.reason}`);
      const response = await line.accept(request, record);
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
          return await line.sendPlaced();
        case "refused":
          return await inTurn(() => refused(signal));
        case "bye":
          return void (await end("its agent stopped"));
      }
    },
    closed: async (socket) => {
      const record = store.readRunning();
      if (!record || !line.isRuling(socket, record)) return;
      store.save(detachedRecord(record, now()));
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

const justEnded: Refusal = refuse("ended", "The session has just ended; try again");
