import * as z from "zod";
import { Fingerprint, Port, SessionId, SessionName, Thumbprint } from "./api.ts";
import { limits } from "./limits.ts";
import { TicketedPlacement } from "./placements.ts";

/** Body of `POST /v1/sessions/:idOrName/tickets`: a client of the owner's asks for the way to a session. */
export const RequestTickets = z.strictObject({
  /** Key with which each half proves that the tickets are its own; needed where a ticket travels in the clear. */
  proof: Thumbprint.optional(),
});
export type RequestTickets = z.infer<typeof RequestTickets>;

/** Answer: the session's relays, each with a client's ticket. */
export const ClientTickets = z.object({
  session: SessionId,
  name: SessionName,
  /** See `Session.agentKey`. */
  agentKey: Fingerprint.nullable(),
  placements: z.array(TicketedPlacement).min(1).max(limits.relaysPerSession),
});
export type ClientTickets = z.infer<typeof ClientTickets>;

/**
 * Where one end can be met. `mapped`: what its NAT shows of the port from which it dials, as a relay saw it.
 * `host`: an address of the machine itself, IPv6 or of its local network; with `listens` it also takes connections.
 */
export const Candidate = z.object({
  kind: z.enum(["mapped", "host"]),
  address: z.union([z.ipv4(), z.ipv6()]),
  port: Port,
  listens: z.boolean(),
});
export type Candidate = z.infer<typeof Candidate>;

const candidates = z.array(Candidate).max(limits.candidates);

/** Names one attempt to meet: 128 random bits, chosen by the client. */
export const OfferId = z.string().regex(/^[A-Za-z0-9_-]{22}$/);

/** Body of `POST /v1/sessions/:idOrName/direct`: a client would like to meet the agent without relay. */
export const DirectOffer = z.strictObject({
  offer: OfferId,
  /** The client's key: the agent takes no other one on this way. */
  key: Fingerprint,
  candidates,
});
export type DirectOffer = z.infer<typeof DirectOffer>;

/** The agent's answer, and that of the request. */
export const DirectAnswer = z.discriminatedUnion("type", [
  /** `key`: the agent's, for clients that know it from nowhere else (`--plain`). */
  z.object({ type: z.literal("candidates"), candidates, key: Fingerprint.optional() }),
  /** `off`: its operator wants none. `busy`: too many attempts. `none`: it knows no address of its own. `old`: it does not know of such offers. `limited`: the session has limits that relays keep. */
  z.object({ type: z.literal("no"), reason: z.enum(["off", "busy", "none", "old", "limited"]) }),
]);
export type DirectAnswer = z.infer<typeof DirectAnswer>;

/** What became of an attempt, as the agent saw it. */
export const DirectOutcome = z.enum(["opened", "timed_out", "refused"]);
export type DirectOutcome = z.infer<typeof DirectOutcome>;

/**
 * Why a ticketed client came by relay and not directly, as it says itself in its half's request.
 * Its own side: `off`, `starting` (the attempt takes longer than a connection waits). The agent's: `agent_off`, `busy`,
 * `old`, `limited`, `no_address`, `no_agent`. The network between: `symmetric`, `timed_out`. The other end was not the
 * agent: `refused`. The control plane did not pass the offer on: `no_control`.
 */
export const directMisses = [
  "off",
  "starting",
  "agent_off",
  "busy",
  "old",
  "limited",
  "no_address",
  "no_agent",
  "symmetric",
  "timed_out",
  "refused",
  "no_control",
] as const;
export type DirectMiss = (typeof directMisses)[number];

/** Answer of `GET /v1/address` of relays, and of control planes that see ports: who asks, as seen from outside. */
export const SeenAddress = z.object({ address: z.union([z.ipv4(), z.ipv6()]), port: Port });
export type SeenAddress = z.infer<typeof SeenAddress>;
