import * as z from "zod";
import type { Placement, Relay } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { LinkSignal } from "../protocol/signals.ts";
import { RelaySignal, parseSignal, pongText } from "../protocol/signals.ts";
import { createCell, createTable } from "./cell.ts";
import type { LeaseRequest } from "./leases.ts";
import { PortEntry, leasePort, releasePort } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext, ObjectSocket } from "./platform.ts";
import { problemResponse } from "./problems.ts";
import { RelayRecord, helloRecord, placementOn, relayView } from "./relays.ts";
import { createRelayNotices } from "./relay-notices.ts";
import type { Services } from "./services.ts";
import { directoryName, regionObjectName } from "./services.ts";
import { refuseSignal } from "./socket-errors.ts";

interface ReleaseInput {
  readonly session: string;
  /** Until when the session's tickets may live, in seconds since 1970; null when the session goes on elsewhere. */
  readonly endedUntil: number | null;
  readonly port: "rest" | "avoid";
}

/** One relay: the authority for its port leases, and the server's end of its control link. */
export interface RelayVerbs {
  lease(request: LeaseRequest): Outcome<Placement>;
  /** Ends a session's lease, and tells the relay when the session is over. */
  release(input: ReleaseInput): void;
  view(input: null): Relay | null;
}

/** Ended sessions in one `welcome`; more follow as `end` signals, so that no signal exceeds `limits.signalBytes`. */
const endedInWelcome = 500;

/** The object of one relay. */
export function createRelayObject(ctx: ObjectContext, services: Services): DurableModule<RelayVerbs> {
  const { env, now, signer } = services;
  const record = createCell(ctx.kv, "relay", RelayRecord);
  const ended = createTable(ctx.kv, "ended", z.number());
  const ports = createTable(ctx.kv, "port", PortEntry);
  const bySession = createTable(ctx.kv, "session", z.number());
  const book = { ports, bySession, byName: createTable(ctx.kv, "name", z.number()) };
  const notices = createRelayNotices({
    ctx,
    services,
    bySession,
    ports,
    drop: (session) => verbs.release({ session, endedUntil: null, port: "rest" }),
  });

  const verbs: RelayVerbs = {
    lease: (request) =>
      ctx.transaction(() => {
        const current = record.read();
        if (!current || lastHeard(current) + limits.deadAfterMs <= now())
          return refuse("no_relay", "The relay is not connected to the control plane");
        const before = bySession.get(request.session);
        const outcome = leasePort(book, request, current.ports, current.cursor, now());
        if (!outcome.ok) return outcome;
        const leases = current.leases + (before === undefined ? 1 : 0);
        record.write({ ...current, cursor: outcome.value.cursor, leases });
        return done(placementOn(current, outcome.value.port));
      }),
    release: ({ session, endedUntil, port }) => {
      ctx.transaction(() => {
        const current = record.read();
        if (current && bySession.get(session) !== undefined)
          record.write({ ...current, leases: current.leases - 1 });
        releasePort(book, session, port, now());
        if (endedUntil !== null && endedUntil * 1_000 > now()) ended.set(session, endedUntil);
      });
      if (endedUntil !== null) sendAll({ type: "end", ended: { session, until: endedUntil } });
    },
    view: () => {
      const current = record.read();
      return current ? relayView(current, lastHeard(current), now()) : null;
    },
  };

  function lastHeard(current: RelayRecord): number {
    return Math.max(current.seenAt, ...ctx.sockets().map((socket) => ctx.heardAt(socket) ?? 0));
  }

  function sendAll(signal: LinkSignal): void {
    for (const socket of ctx.sockets()) if (attachmentOf(socket).welcomed) send(socket, signal);
  }

  /** Tells the region how the relay is. */
  async function report(current: RelayRecord): Promise<void> {
    const linked = ctx.sockets().length > 0;
    await env.REGIONS.getByName(regionObjectName(current.region)).report({
      relay: relayView(current, lastHeard(current), now()),
      linked,
    });
  }

  async function hello(socket: ObjectSocket, signal: Extract<RelaySignal, { type: "hello" }>): Promise<void> {
    if (signal.ports.from > signal.ports.to) return socket.close(1_008, "ports: from is above to");
    const { id } = attachmentOf(socket);
    const before = record.read();
    const current = helloRecord(before, id, signal, now());
    record.write(current);
    if (before && before.region !== current.region)
      await env.REGIONS.getByName(regionObjectName(before.region)).forget(id);
    await env.REGIONS.getByName(directoryName).addRegion(current.region);
    await report(current);
    // Not before the region knows it: a relay that was welcomed can be given sessions.
    welcome(socket);
    if (before) notices.start();
  }

  /** Forgets ended sessions whose last ticket has expired. */
  function forgetEnded(): void {
    for (const [session, until] of ended.entries()) if (until * 1_000 <= now()) ended.delete(session);
  }

  function welcome(socket: ObjectSocket): void {
    forgetEnded();
    const alive = [...ended.entries()].map(([session, until]) => ({ session, until }));
    send(socket, {
      type: "welcome",
      jwks: { keys: signer.jwks().keys.map((key) => ({ ...key })) },
      ended: alive.slice(0, endedInWelcome),
    });
    for (const one of alive.slice(endedInWelcome)) send(socket, { type: "end", ended: one });
    socket.serializeAttachment({ ...attachmentOf(socket), welcomed: true } satisfies Attachment);
  }

  return {
    verbs,
    fetch: async (request) => {
      const id = new URL(request.url).pathname.split("/")[3];
      if (id === undefined) return problemResponse("not_found", "No such relay");
      const older = ctx.sockets();
      const { socket, response } = ctx.accept(request);
      socket.serializeAttachment({ id, welcomed: false } satisfies Attachment);
      for (const one of older) one.close(4_001, "a newer link of this relay took over");
      ctx.setAlarm(now() + limits.deadAfterMs);
      return response;
    },
    message: async (socket, text) => {
      const signal = refuseSignal(socket, () => parseSignal(RelaySignal, text));
      if (!signal) return;
      if (signal.type === "ping") return socket.send(pongText);
      if (signal.type === "hello") return await hello(socket, signal);
      const current = record.read();
      if (!current) return;
      const next = { ...current, load: signal.load, seenAt: now() };
      record.write(next);
      await report(next);
    },
    closed: async () => {
      const current = record.read();
      if (current && ctx.sockets().length === 0) await report(current);
    },
    alarm: async () => {
      const more = await notices.continue(record.read());
      forgetEnded();
      const current = record.read();
      const goneAt = current ? lastHeard(current) + limits.deadAfterMs : 0;
      if (more) return ctx.setAlarm(now());
      if (goneAt > now()) return ctx.setAlarm(goneAt);
      for (const socket of ctx.sockets()) socket.close(4_002, "no heartbeat");
      if (current) await report(current);
    },
  };
}

/** `welcomed`: the first answer is out, other signals may follow. */
const Attachment = z.object({ id: z.string(), welcomed: z.boolean() });
type Attachment = z.infer<typeof Attachment>;

function attachmentOf(socket: ObjectSocket): Attachment {
  return Attachment.parse(socket.deserializeAttachment());
}

function send(socket: ObjectSocket, signal: LinkSignal): void {
  socket.send(JSON.stringify(signal));
}
