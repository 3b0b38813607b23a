import * as z from "zod";
import type { CreateSession, Placement, Session } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { SessionSignal } from "../protocol/signals.ts";
import { AgentSignal, parseSignal, pongText } from "../protocol/signals.ts";
import { createCell } from "./cell.ts";
import { placeSession } from "./fleet.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext, ObjectSocket } from "./platform.ts";
import { problemResponse } from "./problems.ts";
import { createSerial } from "./serial.ts";
import type { Services } from "./services.ts";
import {
  SessionRecord,
  sameOffer,
  attachedRecord,
  detachedRecord,
  dueEnd,
  endedRecord,
  forgetAt,
  movedRecord,
  newRecord,
  nextLook,
  resumedRecord,
  retryMs,
  ticketFor,
  viewOf,
} from "./sessions.ts";
import { refuseSignal } from "./socket-errors.ts";

interface OpenInput {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly request: CreateSession;
}

/** One session: its lease, its epoch and the control connection of its agent. */
export interface SessionVerbs {
  /** Creates the session, or takes it up again: id, port and epoch stay, the newest request rules the rest. */
  open(input: OpenInput): Promise<Outcome<{ session: Session; created: boolean }>>;
  view(input: null): Session | null;
  /** Whether an agent is connected and was heard lately. */
  isLive(input: null): boolean;
  /** Ends the session; false when there is none. */
  end(reason: string): Promise<boolean>;
  /** The relay is back, maybe at another address. False: the session has no lease there any more. */
  relayBack(input: { readonly placement: Placement; readonly withinMs: number }): Promise<boolean>;
}

const Attachment = z.object({ epoch: z.number().int(), acceptedAt: z.number(), placed: z.boolean() });
type Attachment = z.infer<typeof Attachment>;

/** The object of one session. */
export function createSessionObject(ctx: ObjectContext, services: Services): DurableModule<SessionVerbs> {
  const { env, now, signer } = services;
  const cell = createCell(ctx.kv, "session", SessionRecord);
  const inTurn = createSerial();

  /** Stores a changed record and sets the alarm that goes with it. */
  function save(record: SessionRecord): SessionRecord {
    cell.write(record);
    ctx.setAlarm(nextLook(record, now()));
    return record;
  }

  /** The ruling agent's socket, unless its heartbeat has stopped. */
  function liveSocket(record: SessionRecord): ObjectSocket | undefined {
    return ctx
      .sockets()
      .find(
        (socket) =>
          attachmentOf(socket).epoch === record.epoch && heardAt(socket) + limits.deadAfterMs > now(),
      );
  }

  function heardAt(socket: ObjectSocket): number {
    return Math.max(attachmentOf(socket).acceptedAt, ctx.heardAt(socket) ?? 0);
  }

  function view(record: SessionRecord): Session {
    const socket = liveSocket(record);
    return viewOf(record, socket ? heardAt(socket) : null);
  }

  /** Tells the account's list; a failure is tried again by the alarm. */
  async function report(): Promise<void> {
    const record = cell.read();
    if (!record || record.ended || record.reported >= record.revision) return;
    const known = await env.ACCOUNTS.getByName(record.owner)
      .report({ session: view(record), revision: record.revision })
      .catch(() => undefined);
    const current = cell.read();
    if (known === undefined || !current || current.ended) return;
    if (!known) return void (await end("another session has taken its name"));
    save({ ...current, reported: Math.max(current.reported, record.revision) });
  }

  /** Signs tickets and sends them to the ruling agent, unless it is replaced or the session ended meanwhile. */
  async function sendPlaced(socket: ObjectSocket): Promise<void> {
    const record = cell.read();
    if (!record || record.ended) return;
    const ticket = ticketFor(record, now());
    save({ ...record, ticketsAt: now(), ticketsUntil: Math.max(record.ticketsUntil, ticket.expires) });
    const signed = await signer.sign(ticket);
    const current = cell.read();
    const attachment = attachmentOf(socket);
    // Whoever changed the record meanwhile sends the new state itself.
    if (
      !current ||
      current.ended ||
      current.revision !== record.revision ||
      current.epoch !== attachment.epoch
    )
      return;
    if (!ctx.sockets().includes(socket)) return;
    const { id, name, epoch, placement } = record;
    const placements = [{ ...placement, ticket: signed, ticketExpires: ticket.expires }];
    send(socket, { type: "placed", session: id, name, epoch, placements });
    socket.serializeAttachment({ ...attachment, placed: true } satisfies Attachment);
  }

  /** Sends the new placement to the agent, if there is one, and tells the list. */
  async function announce(record: SessionRecord): Promise<void> {
    const socket = liveSocket(record);
    if (socket) await sendPlaced(socket);
    await report();
  }

  async function end(reason: string): Promise<boolean> {
    const record = cell.read();
    if (!record) return false;
    if (!record.ended) {
      save(endedRecord(record, reason, now()));
      for (const socket of ctx.sockets()) {
        send(socket, { type: "ended", reason });
        socket.close(1_000, "ended");
      }
    }
    await release();
    return true;
  }

  /** Gives back what an ended session held; a failure is tried again by the alarm. */
  async function release(): Promise<void> {
    const record = cell.read();
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
    const current = cell.read();
    if (current?.ended) save({ ...current, ended: { ...current.ended, released: true } });
  }

  async function open({
    id,
    owner,
    name,
    request,
  }: OpenInput): Promise<Outcome<{ session: Session; created: boolean }>> {
    const before = cell.read();
    if (before?.ended) return refuse("ended", "The session has just ended; try again");
    const placed = await place({ id, owner, name, request }, before);
    const current = cell.read();
    if (current?.ended) {
      await release();
      return refuse("ended", "The session has just ended; try again");
    }
    if (!placed.ok) {
      if (!current) await env.ACCOUNTS.getByName(owner).forget(id);
      return placed;
    }
    const record = save(
      current
        ? resumedRecord(current, placed.value, request, now())
        : newRecord({ id, owner, name, placement: placed.value }, request, now()),
    );
    if (current && sameOffer(current, record)) await report();
    else await announce(record);
    const opened = cell.read() ?? record;
    if (opened.ended) return refuse("ended", "The session has just ended; try again");
    return done({ session: view(opened), created: current === undefined });
  }

  /** A lease for the request: on the relay that the session has, if that still serves, else on the best one. */
  async function place(
    { id, owner, name, request }: OpenInput,
    before: SessionRecord | undefined,
  ): Promise<Outcome<Placement>> {
    const lease = {
      session: id,
      owner,
      name,
      wanted: request.port ?? null,
      strict: request.port !== undefined,
    };
    const old = before?.placement;
    if (!old || (request.region !== undefined && request.region !== old.region)) {
      const placed = await placeSession(services, lease, request.region);
      if (old && placed.ok) await leave(id, old, placed.value);
      return placed;
    }
    const kept = await env.RELAYS.getByName(old.relay).lease(lease);
    if (kept.ok || kept.code !== "no_relay") return kept;
    const moved = await placeSession(
      services,
      { ...lease, wanted: lease.wanted ?? old.clientPort },
      request.region,
      old.relay,
    );
    if (moved.ok) await leave(id, old, moved.value);
    // With no other relay the old place is as good as any: its relay may come back.
    return moved.ok || (request.port ?? old.clientPort) !== old.clientPort ? moved : done(old);
  }

  async function leave(session: string, old: Placement, next: Placement): Promise<void> {
    if (old.relay === next.relay) return;
    await env.RELAYS.getByName(old.relay).release({ session, endedUntil: null, port: "rest" });
  }

  /** The agent says that a relay refused its half: find another port or another relay, or sign new tickets. */
  async function refused(
    socket: ObjectSocket,
    signal: Extract<AgentSignal, { type: "refused" }>,
  ): Promise<void> {
    const record = cell.read();
    if (!record || record.ended) return;
    const { id, owner, name, placement, fixedPort } = record;
    if (
      signal.relay !== placement.relay ||
      signal.clientPort !== placement.clientPort ||
      signal.code === "ticket_invalid"
    )
      return await sendPlaced(socket);
    const lease = { session: id, owner, name, wanted: placement.clientPort, strict: fixedPort };
    if (signal.code === "port_unavailable") {
      if (fixedPort)
        return void (await end(
          `its relay cannot listen on port ${placement.clientPort}; choose another port`,
        ));
      await env.RELAYS.getByName(placement.relay).release({ session: id, endedUntil: null, port: "avoid" });
      const again = await env.RELAYS.getByName(placement.relay).lease({ ...lease, wanted: null });
      return await settle(again.ok ? again : await placeSession(services, lease, undefined, placement.relay));
    }
    const moved = await placeSession(services, lease, undefined, placement.relay);
    if (moved.ok) await leave(id, placement, moved.value);
    await settle(moved);
  }

  async function settle(placed: Outcome<Placement>): Promise<void> {
    const record = cell.read();
    if (!record) return;
    if (record.ended) return await release();
    await announce(placed.ok ? save(movedRecord(record, placed.value)) : record);
  }

  return {
    verbs: {
      open: async (input) => await inTurn(() => open(input)),
      view: () => {
        const record = cell.read();
        return record ? view(record) : null;
      },
      isLive: () => {
        const record = cell.read();
        return record !== undefined && !record.ended && liveSocket(record) !== undefined;
      },
      end: async (reason) => await end(reason),
      relayBack: async ({ placement, withinMs }) => {
        const record = cell.read();
        if (!record || record.ended || record.placement.relay !== placement.relay) return false;
        if (JSON.stringify(record.placement) !== JSON.stringify({ ...record.placement, ...placement })) {
          await announce(save(movedRecord(record, placement)));
          return true;
        }
        const socket = liveSocket(record);
        if (socket && attachmentOf(socket).placed)
          send(socket, { type: "dial", relay: placement.relay, withinMs });
        return true;
      },
    },
    fetch: async (request) => {
      const record = cell.read();
      if (!record) return problemResponse("not_found", "There is no such session");
      if (record.ended) return problemResponse("ended", `The session is over: ${record.ended.reason}`);
      const older = ctx.sockets();
      const { socket, response } = ctx.accept(request);
      const attached = attachedRecord(record, now());
      socket.serializeAttachment({
        epoch: attached.epoch,
        acceptedAt: now(),
        placed: false,
      } satisfies Attachment);
      save(attached);
      for (const one of older) {
        send(one, { type: "replaced" });
        one.close(4_001, "replaced");
      }
      await sendPlaced(socket);
      void report();
      return response;
    },
    message: async (socket, text) => {
      const signal = refuseSignal(socket, () => parseSignal(AgentSignal, text));
      if (!signal || attachmentOf(socket).epoch !== cell.read()?.epoch) return;
      switch (signal.type) {
        case "ping":
          return socket.send(pongText);
        case "renew":
          return await sendPlaced(socket);
        case "refused":
          return await inTurn(() => refused(socket, signal));
        case "bye":
          return void (await end("its agent stopped"));
      }
    },
    closed: async (socket) => {
      const record = cell.read();
      if (!record || record.ended || attachmentOf(socket).epoch !== record.epoch) return;
      save(detachedRecord(record, now()));
      await report();
    },
    alarm: async () => {
      const record = cell.read();
      if (!record) return;
      if (record.ended) {
        await release();
        if (cell.read()?.ended?.released && forgetAt(record) <= now()) await ctx.erase();
        return;
      }
      await look(record);
    },
  };

  /** The regular look at a session: is it over, is its agent still there, are its tickets fresh, is it listed. */
  async function look(record: SessionRecord): Promise<void> {
    const reason = dueEnd(record, now());
    if (reason !== undefined) return void (await end(reason));
    const socket = liveSocket(record);
    if (record.goneAt === null && !socket) {
      for (const dead of ctx.sockets()) dead.close(4_002, "no heartbeat");
      save(detachedRecord(record, now()));
    } else save(record);
    if (socket && record.ticketsAt + limits.ticketRenewMs <= now()) await sendPlaced(socket);
    await report();
  }
}

function attachmentOf(socket: ObjectSocket): Attachment {
  return Attachment.parse(socket.deserializeAttachment());
}

function send(socket: ObjectSocket, signal: SessionSignal): void {
  socket.send(JSON.stringify(signal));
}
