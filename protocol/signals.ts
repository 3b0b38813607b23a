import * as z from "zod";
import {
  AccountId,
  Fingerprint,
  Host,
  Port,
  Reason,
  Region,
  RelayId,
  RelayLoad,
  SessionId,
  SessionName,
  Version,
} from "./api.ts";
import { DirectAnswer, DirectOffer, DirectOutcome, OfferId } from "./connect.ts";
import { askedFor } from "./about.ts";
import { RdvError } from "./errors.ts";
import { KeyId } from "./keys.ts";
import { limits } from "./limits.ts";
import { TicketedPlacement } from "./placements.ts";
import { SentTicket } from "./tickets.ts";

/** Heartbeat, the same text on every control connection so that the platform can answer it without waking an object. */
export const pingText = '{"type":"ping"}';
export const pongText = '{"type":"pong"}';

/** Agent → session object, on `GET /v1/sessions/:id/agent`. */
export const AgentSignal = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping") }),
  /** New tickets, please: the old ones are `ticketRenewMs` old. */
  z.object({ type: z.literal("renew") }),
  /** A relay refused the agent's half for a reason that another port or relay may cure. */
  z.object({
    type: z.literal("refused"),
    relay: RelayId,
    clientPort: Port.nullable(),
    code: z.enum(["port_unavailable", "wrong_relay", "ticket_invalid", "draining", "full"]),
  }),
  /** Halves wait at this relay now, with the newest placement: places that the session has left can be given up. */
  z.object({ type: z.literal("up"), relay: RelayId }),
  /** The relay cannot be reached from here; said again with every failed attempt. */
  z.object({ type: z.literal("lost"), relay: RelayId }),
  /** Answer to `direct`: where this agent dials from and listens, or why it does not. */
  z.object({ type: z.literal("direct"), offer: OfferId, answer: DirectAnswer }),
  /** What became of a direct connection, for the metrics; said once an offer. */
  z.object({ type: z.literal("path"), offer: OfferId, outcome: DirectOutcome }),
  /** The agent stops for good: end the session now. */
  z.object({ type: z.literal("bye") }),
]);
export type AgentSignal = z.infer<typeof AgentSignal>;

/** Session object → agent. */
export const SessionSignal = z.discriminatedUnion("type", [
  z.object({ type: z.literal("pong") }),
  /** Where to dial, with which tickets. The first message of a connection, and again whenever anything in it changes. */
  z.object({
    type: z.literal("placed"),
    session: SessionId,
    name: SessionName,
    epoch: z.number().int().min(1),
    placements: z.array(TicketedPlacement).min(1).max(limits.relaysPerSession),
  }),
  /** The relay is back: dial it now instead of waiting for the backoff, within `withinMs` by full jitter. */
  z.object({ type: z.literal("dial"), relay: RelayId, withinMs: z.number().int().min(0) }),
  /** The control plane has lost sight of the relay: look whether it is still there, and say `lost` if not. */
  z.object({ type: z.literal("check"), relay: RelayId }),
  /** A client of the owner's wants to meet without relay; the agent answers within `limits.directAnswerMs`. */
  z.object({ type: z.literal("direct"), offer: OfferId, from: DirectOffer }),
  /** A newer agent took over; this one must stop. */
  z.object({ type: z.literal("replaced") }),
  /** The session is over. */
  z.object({ type: z.literal("ended"), reason: Reason }),
]);
export type SessionSignal = z.infer<typeof SessionSignal>;

/** Sessions in one signal: about 120 bytes each, so that none exceeds `limits.signalBytes`. */
export const sessionsInSignal = 400;

/** A session that a relay serves. */
export const OpenSession = z.object({
  session: SessionId,
  owner: AccountId,
  port: Port.nullable(),
  epoch: z.number().int().min(1),
});
export type OpenSession = z.infer<typeof OpenSession>;

/** Relay node → relay object, on `GET /v1/relays/:id/link`. */
export const RelaySignal = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping") }),
  /** First message of a connection. */
  z.object({
    type: z.literal("hello"),
    region: Region,
    host: Host,
    sharedPort: Port,
    ports: z.object({ from: Port, to: Port }),
    /** Key of its certificate; null when it speaks plain TCP alone. */
    tls: Fingerprint.nullable().default(null),
    version: Version,
  }),
  /** After `hello`, in pages: what the relay serves, so that both agree. */
  z.object({ type: z.literal("sessions"), sessions: z.array(OpenSession).max(sessionsInSignal) }),
  z.object({ type: z.literal("load"), load: RelayLoad }),
  /** The session has used up its byte budget here, and is over. */
  z.object({ type: z.literal("spent"), session: SessionId, owner: AccountId }),
  /** Whether the machine that was invited to this session is there; said of invited sessions alone. */
  z.object({ type: z.literal("presence"), session: SessionId, owner: AccountId, present: z.boolean() }),
]);
export type RelaySignal = z.infer<typeof RelaySignal>;

/** A session that must not be served any more, remembered until its last ticket has expired (seconds since 1970). */
export const EndedSession = z.object({ session: SessionId, until: z.number().int() });
export type EndedSession = z.infer<typeof EndedSession>;

/** A key that is no more, remembered until the last ticket that it asked for has expired (seconds since 1970). */
export const EndedKey = z.object({ key: KeyId, until: z.number().int() });
export type EndedKey = z.infer<typeof EndedKey>;

/** Public keys (RFC 7517). */
const Jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

/** Relay object → relay node. */
export const LinkSignal = z.discriminatedUnion("type", [
  z.object({ type: z.literal("pong") }),
  /** The keys to verify tickets with are others now. */
  z.object({ type: z.literal("keys"), jwks: Jwks }),
  /** Answer to `hello`: the keys to verify tickets with, and what ended while the relay was away. */
  z.object({
    type: z.literal("welcome"),
    jwks: Jwks,
    ended: z.array(EndedSession),
  }),
  /** Another answer to `hello`: this relay is not taken, and why. */
  z.object({ type: z.literal("refused"), detail: Reason }),
  /** Open the raw port of this ticket. */
  z.object({ type: z.literal("raw"), ticket: SentTicket }),
  /** Close this session's port, its waiting halves and its pairs, and refuse its tickets. */
  z.object({ type: z.literal("end"), ended: EndedSession }),
  /** Refuse the clients' tickets of this key, and cut what was opened with them. */
  z.object({ type: z.literal("key_ended"), ended: EndedKey }),
  /** The session is at another relay now: close its port and its waiting halves; its pairs may finish. */
  z.object({ type: z.literal("leave"), session: SessionId }),
  /** A newer ticket of a session, of the same epoch: its policy holds from now on. */
  z.object({ type: z.literal("policy"), ticket: SentTicket }),
  /** The relay is no member of the fleet any more. */
  z.object({ type: z.literal("removed") }),
]);
export type LinkSignal = z.infer<typeof LinkSignal>;

/** Parses one signal; throws `bad_request` when it is too large, not JSON or not in the list. */
export function parseSignal<T>(schema: z.ZodType<T>, text: string): T {
  if (text.length > limits.signalBytes)
    throw new RdvError("too_large", `A signal of ${text.length} characters`);
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const asked = askedFor(cause);
    const what =
      asked === undefined ? "Not a signal of this connection" : `A signal that is not about ${asked}`;
    throw new RdvError("bad_request", what, { cause });
  }
}
