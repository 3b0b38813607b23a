import { hostPort } from "../protocol/api.ts";
import type { Placement } from "../protocol/api.ts";
import { rawLease } from "./leases.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import { giveBack } from "./place-session.ts";
import type { Services } from "./services.ts";
import type { SessionStore } from "./session-store.ts";
import { ticketFor } from "./sessions.ts";
import type { SessionRecord } from "./sessions.ts";

/** What an invited machine gets: where to wait, and the ticket that lets it do nothing else. */
export interface Admission {
  readonly placement: Placement;
  readonly ticket: string;
  /** Seconds since 1970. */
  readonly expires: number;
}

/** A session whose agent has no account and no control connection: an invited machine with a ticket. */
export interface InvitedSession {
  /** A ticket for the machine that used the code, until the session's own end; machines that came before are replaced. */
  admit(agentKey: string | null): Promise<Outcome<Admission>>;
  /** Opens the session's raw port; gives its `host:port`. */
  openRaw(from: string | null): Promise<Outcome<string>>;
  /** Whether this is the session's raw port. */
  hasRaw(port: number): boolean;
  /** The relay may have forgotten the raw port. */
  relayBack(): Promise<void>;
  /** The relay tells whether the invited machine is there. */
  presence(present: boolean): Promise<void>;
  /** Tells the invitation that its session is over. */
  ended(record: SessionRecord, reason: string): Promise<void>;
}

interface InvitedDeps {
  readonly services: Services;
  readonly store: SessionStore;
  /** Tells the account's list. */
  readonly report: () => Promise<void>;
}

/** What a session object does when an invitation made its session. */
export function createInvitedSession({ services, store, report }: InvitedDeps): InvitedSession {
  const { env, now, signer } = services;

  async function sendRaw(): Promise<void> {
    const record = store.readRunning();
    const [placement] = record?.placements ?? [];
    if (!record?.invitation?.raw || !placement) return;
    const ticket = await signer.sign({
      ...ticketFor(record, placement, now()),
      raw: record.invitation.raw,
    });
    await env.RELAYS.getByName(placement.relay).openRaw({ ticket });
  }

  return {
    async openRaw(from) {
      const record = store.readRunning();
      const [placement] = record?.placements ?? [];
      if (!record?.invitation || !placement || record.expiresAt === null)
        return refuse("ended", "The session is over");
      const session = rawLease(record.id);
      const request = {
        session,
        owner: record.owner,
        name: "raw",
        wanted: null,
        strict: false,
        private: false,
      };
      const leased = await env.RELAYS.getByName(placement.relay).lease(request);
      if (!leased.ok) return leased;
      const current = store.readRunning();
      if (!current?.invitation) {
        await giveBack(services, session, [placement]);
        return refuse("ended", "The session is over");
      }
      const { clientPort: port } = leased.value;
      if (port === null) throw new Error("a raw port without a port");
      const raw = { port, from };
      store.save({
        ...current,
        // Nobody has a ticket for the first epoch yet, so it is the raw halves'.
        epoch: Math.max(1, current.epoch),
        ticketsUntil: Math.max(current.ticketsUntil, Math.ceil(record.expiresAt / 1_000)),
        invitation: { ...current.invitation, raw },
      });
      await sendRaw();
      return done(hostPort(placement.host, raw.port));
    },
    hasRaw: (port) => store.readRunning()?.invitation?.raw?.port === port,
    relayBack: sendRaw,
    async admit(agentKey) {
      const record = store.readRunning();
      const [placement] = record?.placements ?? [];
      if (!record?.invitation || !placement || record.expiresAt === null)
        return refuse("ended", "The session is over");
      const expires = Math.ceil(record.expiresAt / 1_000);
      // The session's end may have been nearer or farther when others got their tickets.
      const ticketsUntil = Math.max(record.ticketsUntil, expires);
      const fresh = { epoch: record.epoch + 1, agentKey, ticketsUntil, ticketsAt: now() };
      const admitted = { ...record, ...fresh };
      store.save({ ...admitted, revision: record.revision + 1 });
      const ticket = await signer.sign(ticketFor(admitted, placement, now()));
      await report();
      return store.readRunning()
        ? done({ placement, ticket, expires })
        : refuse("ended", "The session is over");
    },
    async presence(present) {
      const record = store.readRunning();
      if (!record?.invitation) return;
      const presentSince = present ? (record.invitation.presentSince ?? now()) : null;
      const seenAt = now();
      const invitation = { ...record.invitation, presentSince };
      store.save({ ...record, invitation, seenAt, revision: record.revision + 1 });
      await env.INVITATIONS.getByName(invitation.key).presence(present);
      await report();
    },
    async ended({ id, invitation, placements }, reason) {
      const [placement] = placements;
      const lease = { session: rawLease(id), endedUntil: null, port: "rest", leave: false } as const;
      if (invitation?.raw && placement) await env.RELAYS.getByName(placement.relay).release(lease);
      if (invitation) await env.INVITATIONS.getByName(invitation.key).end(reason);
    },
  };
}
