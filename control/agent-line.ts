import * as z from "zod";
import { AgentAttach } from "../protocol/api.ts";
import type { DirectOffer } from "../protocol/connect.ts";
import { limits } from "../protocol/limits.ts";
import type { SessionSignal } from "../protocol/signals.ts";
import type { ObjectContext, ObjectSocket } from "./platform.ts";
import type { Services } from "./services.ts";
import type { SessionStore } from "./session-store.ts";
import { attachedRecord, renewEveryMs, sameOffer, ticketFor } from "./sessions.ts";
import type { SessionRecord } from "./sessions.ts";

/** The control connection of a session's ruling agent. */
export interface AgentLine {
  /** Accepts a new agent's connection: the next epoch begins, older agents are told and closed. */
  accept(request: Request, record: SessionRecord, key: string): Promise<Response>;
  /** Whether a socket is the ruling agent's. */
  isRuling(socket: ObjectSocket, record: SessionRecord): boolean;
  /** When the ruling agent was last heard; null when it is away or silent for `limits.deadAfterMs`. */
  heardAt(record: SessionRecord): number | null;
  /** Signs new tickets and sends them to the ruling agent, if it is there. */
  sendPlaced(): Promise<void>;
  /** The ruling agent asks for new tickets: it gets them at once, or soon when the last ones are very young. */
  renew(): Promise<void>;
  /** Asks the ruling agent to dial a relay, within a random part of `withinMs`. */
  sendDial(record: SessionRecord, relay: string, withinMs: number): void;
  /** Asks the ruling agent whether it still reaches a relay. */
  sendCheck(record: SessionRecord, relay: string): void;
  /** Passes an offer of a direct path to the ruling agent; false when it is not there. */
  sendDirect(record: SessionRecord, offer: DirectOffer): boolean;
  /** Tells every agent that the session is over, and closes. */
  sendEnded(reason: string): void;
  /** Closes connections whose heartbeat has stopped. */
  closeDead(): void;
}

const Attachment = z.object({
  epoch: z.number().int(),
  acceptedAt: z.number(),
  /** Has its first tickets: before these no other signal may come. */
  placed: z.boolean(),
});
type Attachment = z.infer<typeof Attachment>;

interface LineDeps {
  readonly ctx: ObjectContext;
  readonly services: Services;
  readonly store: SessionStore;
}

export function createAgentLine({ ctx, services: { now, signer }, store }: LineDeps): AgentLine {
  const lastHeard = (socket: ObjectSocket): number =>
    Math.max(attachmentOf(socket).acceptedAt, ctx.heardAt(socket) ?? 0);
  const ruling = (record: SessionRecord): ObjectSocket | undefined =>
    ctx
      .sockets()
      .find(
        (socket) =>
          attachmentOf(socket).epoch === record.epoch && lastHeard(socket) + limits.deadAfterMs > now(),
      );

  function tellPlaced(record: SessionRecord, signal: SessionSignal): boolean {
    const socket = ruling(record);
    if (!socket || !attachmentOf(socket).placed) return false;
    send(socket, signal);
    return true;
  }

  async function sendPlaced(): Promise<void> {
    const record = store.readRunning();
    const socket = record && ruling(record);
    if (!socket) return void (record && store.save({ ...record, renewAt: null }));
    const tickets = record.placements.map((placement) => ({
      placement,
      ticket: ticketFor(record, placement, now()),
    }));
    const ticketsUntil = Math.max(record.ticketsUntil, ...tickets.map(({ ticket }) => ticket.expires));
    store.save({ ...record, ticketsAt: now(), renewAt: null, ticketsUntil });
    const placements = await Promise.all(
      tickets.map(async ({ placement, ticket }) => ({
        ...placement,
        ticket: await signer.sign(ticket),
        ticketExpires: ticket.expires,
      })),
    );
    const current = store.readRunning();
    // Whoever changed what is offered meanwhile sends its new state.
    if (!current || current.epoch !== record.epoch || !sameOffer(current, record)) return;
    if (!ctx.sockets().includes(socket)) return;
    const { id, name, epoch } = record;
    send(socket, { type: "placed", session: id, name, epoch, placements });
    socket.serializeAttachment({ ...attachmentOf(socket), placed: true } satisfies Attachment);
  }

  return {
    accept: async (request, record, key) => {
      const older = ctx.sockets();
      const { socket, response } = ctx.accept(request);
      // The route has looked at it.
      const attach = AgentAttach.parse(Object.fromEntries(new URL(request.url).searchParams));
      const attached = { ...attachedRecord(record, attach, now()), attachedWith: key };
      socket.serializeAttachment({
        epoch: attached.epoch,
        acceptedAt: now(),
        placed: false,
      } satisfies Attachment);
      store.save(attached);
      for (const one of older) {
        send(one, { type: "replaced" });
        one.close(4_001, "replaced");
      }
      await sendPlaced();
      return response;
    },
    isRuling: (socket, record) => attachmentOf(socket).epoch === record.epoch,
    heardAt: (record) => {
      const socket = ruling(record);
      return socket ? lastHeard(socket) : null;
    },
    sendPlaced,
    renew: async () => {
      const record = store.readRunning();
      if (!record) return;
      const renewAt = record.ticketsAt + renewEveryMs;
      if (renewAt <= now()) return await sendPlaced();
      if (record.renewAt === null) store.save({ ...record, renewAt });
    },
    sendDial: (record, relay, withinMs) => void tellPlaced(record, { type: "dial", relay, withinMs }),
    sendCheck: (record, relay) => void tellPlaced(record, { type: "check", relay }),
    sendDirect: (record, offer) => tellPlaced(record, { type: "direct", offer: offer.offer, from: offer }),
    sendEnded: (reason) => {
      for (const socket of ctx.sockets()) {
        send(socket, { type: "ended", reason });
        socket.close(1_000, "ended");
      }
    },
    closeDead: () => {
      for (const socket of ctx.sockets())
        if (lastHeard(socket) + limits.deadAfterMs <= now()) socket.close(4_002, "no heartbeat");
    },
  };
}

function attachmentOf(socket: ObjectSocket): Attachment {
  return Attachment.parse(socket.deserializeAttachment());
}

function send(socket: ObjectSocket, signal: SessionSignal): void {
  socket.send(JSON.stringify(signal));
}
