import * as z from "zod";
import { canonicalHost, readHostPort } from "./host.ts";
import { limits } from "./limits.ts";
import { isPrintable } from "./printable.ts";

/** A TCP port that can be dialled. */
export const Port = z.number().int().min(1).max(65_535);

/** A session's name: it stands in commands and host names, so it is a DNS label. */
export const SessionName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a name has 1 to 63 letters a-z, digits and inner hyphens");

/** Region of a relay, for example `eu-west`. */
export const Region = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/,
    "a region has 1 to 32 letters a-z, digits and inner hyphens",
  );

/** Public host name or address of a relay, without port. */
export const Host = z
  .string()
  .max(253)
  .refine((text) => canonicalHost(text) !== undefined, "not a host name or address");

/** `host:port`, or `[ipv6]:port`, that somebody may dial. */
export const HostPort = z
  .string()
  .max(300)
  .refine((text) => readHostPort(text) !== undefined, "not an address, host:port");

/** An address range, `10.0.0.0/8` or `2001:db8::/32`; a bare address means that address alone. */
export const Cidr = z
  .union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()])
  // zod reads the prefix of an IPv6 range as any number, `/3.2` included.
  .refine((range) => /^[^/]+(\/\d+)?$/.test(range), "a prefix is a whole number");

/** SHA-256 of something public that stands for a key, in base64url without padding (RFC 4648 section 5). */
const sha256 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "not a SHA-256 in base64url");

/** Of the key in a certificate: the hash of its SubjectPublicKeyInfo (as in RFC 7469 section 2.4). */
export const Fingerprint = sha256;
/** Of a key as JWK (RFC 7638). */
export const Thumbprint = sha256;

/** Text for people that ends up on terminals: one line in which nothing is hidden. */
export const PlainText = z
  .string()
  .refine(isPrintable, "has characters in it that are hidden or that steer a terminal");

/** Why something is over, in words of the control plane. */
export const Reason = PlainText.max(500);

/** Where a session is reached: `host:port`, or its name when it has no public port. */
export const SessionAddress = z.union([HostPort, SessionName]);

export const Version = z.string().regex(/^[\w.+-]{1,40}$/, "not a version");

/** What is exposed, as its owner's list shows it. */
const target = PlainText.min(1).max(300);

export const SessionId = z.string().regex(/^s_[a-z0-9]{20,40}$/);
export const RelayId = z.string().regex(/^r_[a-z0-9]{8,40}$/);
export const AccountId = z.string().regex(/^a_[a-z0-9]{1,40}$/);

const allow = z.array(Cidr).max(limits.allowList);
const pairs = z.number().int().min(1).max(limits.pairsPerSession);
const connectsPerSecond = z.number().int().min(1).max(1_000);
const bytes = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const ttlSeconds = z
  .number()
  .int()
  .min(1)
  .max(365 * 86_400);

/** Who may use a session and how much of it. */
export const Policy = z.object({
  /** Client addresses that may connect; empty means every address. */
  allow,
  /** End the session after its first pair. */
  once: z.boolean(),
  /** Pairs that live at once. */
  pairs,
  /** Plain clients that may come in a second, from all addresses together; absent means no such limit. */
  connectsPerSecond: connectsPerSecond.optional(),
  /** Bytes of both directions after which a relay ends the session; absent means no such limit. */
  bytes: bytes.optional(),
});
export type Policy = z.infer<typeof Policy>;

/** How long a region's relays took to answer the agent's connects, in milliseconds. */
export const RegionLatency = z.object({ region: Region, ms: z.number().min(0).max(60_000) });
export type RegionLatency = z.infer<typeof RegionLatency>;

/** Body of `POST /v1/sessions`. */
export const CreateSession = z
  .strictObject({
    /** Unique in the account. Without it the control plane makes one from `suggestedName`. */
    name: SessionName.optional(),
    /** Used when `name` is absent: taken as it is when free or when its agent is away, else with a number behind it. */
    suggestedName: SessionName.optional(),
    /** What is exposed, for the list alone (`localhost:22`); nobody ever dials it from outside. */
    target,
    /** Wanted public port: refused with `port_taken` when it belongs to another session. */
    port: Port.optional(),
    region: Region.optional(),
    /** The agent's own measurements; without `region` the nearest of these is taken. */
    latencies: z.array(RegionLatency).max(limits.regionsMeasured).optional(),
    /** Relays that carry the session at once, all with the same port; by default one. */
    relays: z.number().int().min(1).max(limits.relaysPerSession).optional(),
    /** No public port: only who has a ticket of the owner's reaches the service. */
    private: z.boolean().optional(),
    allow: allow.optional(),
    ttlSeconds: ttlSeconds.optional(),
    once: z.boolean().optional(),
    pairs: pairs.optional(),
    connectsPerSecond: connectsPerSecond.optional(),
    bytes: bytes.optional(),
  })
  .refine((request) => !request.private || request.port === undefined, {
    path: ["port"],
    error: "a private session has no public port; leave out one of the two",
  });
export type CreateSession = z.infer<typeof CreateSession>;

/** Query of `GET /v1/sessions/:id/agent`: what holds for this agent, until another one comes. */
export const AgentAttach = z.strictObject({
  /** Key with which it ends encryption; see `Session.agentKey`. */
  identity: Fingerprint.optional(),
  /** Key with which its halves prove that their tickets are its own. */
  proof: Thumbprint.optional(),
});
export type AgentAttach = z.infer<typeof AgentAttach>;

/** Body of `PATCH /v1/sessions/:idOrName`: what is absent stays, null takes a limit away. */
export const UpdateSession = z.strictObject({
  allow: allow.optional(),
  /** From now on. */
  ttlSeconds: ttlSeconds.nullable().optional(),
  pairs: pairs.optional(),
  connectsPerSecond: connectsPerSecond.nullable().optional(),
  bytes: bytes.nullable().optional(),
});
export type UpdateSession = z.infer<typeof UpdateSession>;

/** Where a session is reachable: one relay that carries it. */
export const Placement = z.object({
  relay: RelayId,
  region: Region,
  /** Public host of the relay: clients dial `host:clientPort`, halves dial `host:sharedPort`. */
  host: Host,
  sharedPort: Port,
  /** Null when the session is private. */
  clientPort: Port.nullable(),
  /** Key of the certificate that the shared port shows, for the halves to pin; null when it speaks plain TCP alone. */
  tls: Fingerprint.nullable().default(null),
});
export type Placement = z.infer<typeof Placement>;

/** `waiting`: no agent now, the port is kept. `live`: an agent is connected. `ended`: over, the port is free. */
export const SessionState = z.enum(["waiting", "live", "ended"]);

/** A session as its owner sees it. Times are ISO 8601 in UTC. */
export const Session = z.object({
  id: SessionId,
  name: SessionName,
  target,
  state: SessionState,
  epoch: z.number().int().min(0),
  /** `host:port` that a plain client dials; the name of a private session, which only `rdv connect` reaches. */
  address: SessionAddress,
  private: z.boolean().default(false),
  /**
   * Key with which the newest agent says that it ends encryption; null when it has none. The control plane passes it on
   * and cannot vouch for it: whoever relies on it compares it with what the agent's own machine shows.
   */
  agentKey: Fingerprint.nullable().default(null),
  placements: z.array(Placement).min(1),
  policy: Policy,
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  /** Last moment at which an agent was known to be present. */
  seenAt: z.iso.datetime().nullable(),
});
export type Session = z.infer<typeof Session>;

const cursor = z.string().regex(/^[A-Za-z0-9_]{1,60}$/, "not a cursor of this list");

/** Query of every list: pages of `limit` entries; `cursor` is the `next` of the page before. */
export const PageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(limits.pageMax).default(limits.pageDefault),
  cursor: cursor.optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** Where the next page of a list begins; absent on the last one. */
export const next = cursor.optional();

/** Answer of `GET /v1/sessions`, in the order of ids. */
export const SessionList = z.object({ sessions: z.array(Session), next });
export type SessionList = z.infer<typeof SessionList>;

/** Load that a relay reports with each heartbeat. */
export const RelayLoad = z.object({
  pairs: z.number().int().min(0),
  sessions: z.number().int().min(0),
  bytesPerSecond: z.number().min(0),
  descriptors: z.number().int().min(0),
  maxDescriptors: z.number().int().min(0),
  /** 99th percentile of the event loop's delay since the last report. */
  lagMs: z.number().min(0),
});
export type RelayLoad = z.infer<typeof RelayLoad>;

/** A relay as the operator sees it. */
export const Relay = z.object({
  id: RelayId,
  region: Region,
  host: Host,
  sharedPort: Port,
  ports: z.object({ from: Port, to: Port }),
  tls: Fingerprint.nullable().default(null),
  state: z.enum(["up", "draining", "gone"]),
  leases: z.number().int().min(0),
  load: RelayLoad.nullable(),
  version: Version,
  seenAt: z.iso.datetime().nullable(),
});
export type Relay = z.infer<typeof Relay>;

/** A relay that a new session may get: agents measure how far it is. */
export const RelayCandidate = z.object({
  id: RelayId,
  region: Region,
  host: Host,
  sharedPort: Port,
  tls: Fingerprint.nullable().default(null),
});
export type RelayCandidate = z.infer<typeof RelayCandidate>;

/** Answer of `GET /v1/relays/candidates`. */
export const RelayCandidates = z.object({ relays: z.array(RelayCandidate) });
export type RelayCandidates = z.infer<typeof RelayCandidates>;

/** Answer of `POST /v1/relays/:id/drain`. */
export const RelayDrain = z.object({
  relay: Relay,
  /** Other relays that take sessions now; with none the sessions stay where they are until there is one. */
  others: z.number().int().min(0),
});
export type RelayDrain = z.infer<typeof RelayDrain>;

/** Answer of `GET /v1/relays`, in the order of ids. */
export const RelayList = z.object({ relays: z.array(Relay), next });
export type RelayList = z.infer<typeof RelayList>;

/** What a client of a session uses there: `host:port`, or the session's name where it has no public port. */
export function addressOn(
  { host, clientPort }: Pick<Placement, "host" | "clientPort">,
  name: string,
): string {
  return clientPort === null ? name : hostPort(host, clientPort);
}

/** `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2). */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
