import * as z from "zod";
import {
  Cidr,
  Fingerprint,
  Host,
  HostPort,
  PlainText,
  Port,
  Reason,
  Region,
  Session,
  SessionAddress,
  SessionName,
  hostPort,
} from "./api.ts";
import { readHostPort } from "./host.ts";
import { limits } from "./limits.ts";
import { SentTicket } from "./tickets.ts";

/** Crockford's base 32: no I, L, O and U, so that nothing is misheard or misread (https://www.crockford.com/base32.html). */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Of a code. */
const codeSymbols = 10;
const codePattern = new RegExp(`^[${alphabet}]{${codeSymbols}}$`);

/** `host:port` or `[ipv6]:port`, an address in its one spelling: what is agreed to is what is dialled. */
const Target = z
  .string()
  .max(300)
  .refine(
    isCanonical,
    "write host:port, an address as 192.0.2.1 or [2001:db8::1], and a name without a dot at its end",
  );

function isCanonical(text: string): boolean {
  const read = readHostPort(text);
  return read !== undefined && hostPort(read.host, read.port) === text;
}

/** Usual name of a service: `ssh`. */
const service = z.string().regex(/^[a-z0-9]{1,20}$/);
/** Who asks, as they call themselves. */
const inviter = PlainText.min(1).max(80);

/** As `newCode` makes it. */
const Code = z.string().refine((text) => text.length <= 40 && readCode(text) === text, "not a code");

const Url = z
  .string()
  .max(500)
  .regex(/^https?:\/\/[\w.:[\]-]+(\/[\w.~/-]*)?$/, "not a URL");

/** A line that somebody pastes. */
const Line = PlainText.max(1_000);

/** Body of `POST /v1/invitations`. */
export const CreateInvitation = z
  .strictObject({
    /** `host:port` as seen from the invited machine, which is the only one that ever dials it. */
    target: Target,
    /** `ssh`, `vnc` … when the target was named so. */
    service: service.optional(),
    inviter,
    ttlSeconds: z.number().int().min(1).max(limits.invitationSeconds).optional(),
    /** Who may connect; without it the address from which this request comes. */
    allow: z.array(Cidr).max(limits.allowList).optional(),
    name: SessionName.optional(),
    region: Region.optional(),
    /** Also open a port on which whoever connects is the agent, for `limits.rawSeconds` at most; `from` null: who comes first. */
    raw: z.object({ from: Cidr.nullable() }).optional(),
    /** No public port: the inviter comes by `rdv connect`, and the invited machine needs rdv itself. */
    private: z.boolean().optional(),
  })
  .refine((request) => !request.private || request.raw === undefined, {
    path: ["raw"],
    error: "who comes by a raw port cannot serve a private session; leave out one of the two",
  });
export type CreateInvitation = z.infer<typeof CreateInvitation>;

/** Answer of `POST /v1/invitations`. */
export const CreatedInvitation = z.object({
  /** `K7Q2X-9FMTR`: this is its only copy, the control plane keeps a hash. */
  code: Code,
  url: Url,
  /** What the invited person pastes into a POSIX shell, and into PowerShell. */
  line: Line,
  powershell: Line,
  expires: z.iso.datetime(),
  session: Session,
  /** `host:port` of the raw port. */
  raw: HostPort.nullable(),
});
export type CreatedInvitation = z.infer<typeof CreatedInvitation>;

/** What somebody who has the code may know: `GET /j/CODE` with `Accept: application/json`. */
export const InvitationDetails = z.object({
  inviter,
  target: Target,
  service: service.nullable(),
  /** `host:port` at which the inviter will reach it; the session's name when it is private. */
  address: SessionAddress,
  private: z.boolean().default(false),
  /** The session's relay takes TLS. */
  relayTls: z.boolean().default(false),
  session: SessionName,
  allow: z.array(Cidr).max(limits.allowList),
  expires: z.iso.datetime(),
});
export type InvitationDetails = z.infer<typeof InvitationDetails>;

/** It never begins with a hyphen, because it stands in commands. */
const label = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^([\w.@][\w.@-]*)?$/);

/** Body of `POST /j/CODE/claim`, as JSON or as a form: who joins. Only `machine` means anything to the control plane. */
export const Claim = z.object({
  /** Random or derived from the machine: who comes with the same one may come again. */
  machine: z.string().regex(/^[0-9A-Za-z_-]{8,128}$/),
  host: label(253).default(""),
  user: label(120).default(""),
  method: label(20).default(""),
  /** Of an ssh service: `ssh-ed25519 AAAA…`, as the joining machine sees it. */
  hostkey: z
    .string()
    .max(2_000)
    .regex(/^(ssh-|ecdsa-)[a-z0-9@.-]{1,40} [A-Za-z0-9+/]{40,1800}={0,2}$/)
    .or(z.literal(""))
    .default(""),
  /** Of the key with which it ends encryption, when it can: see `Session.agentKey`. */
  fingerprint: Fingerprint.optional(),
});
export type Claim = z.infer<typeof Claim>;

/** Answer to a claim as JSON; shells get the same as lines. */
export const ClaimAnswer = z.object({
  /** The relay's public host and its shared port. */
  relay: Host,
  port: Port,
  /** The key that the relay shows there in TLS, which rdv pins; null: it speaks plain TCP alone. */
  tls: Fingerprint.nullable().default(null),
  ticket: SentTicket,
  /** Seconds since 1970. */
  expires: z.number().int(),
  /** Waiting halves to keep. */
  pool: z.number().int().min(1).max(limits.poolMax),
});
export type ClaimAnswer = z.infer<typeof ClaimAnswer>;

/** Who joined, as they say, and from where, as the control plane saw it. */
export const Joined = Claim.omit({ machine: true }).extend({
  ip: z.union([z.ipv4(), z.ipv6(), z.literal("unknown")]).catch("unknown"),
  at: z.number(),
});
export type Joined = z.infer<typeof Joined>;

/** Control plane → inviter, on `GET /v1/sessions/:id/watch`; the present state is said on every connection. */
export const WatchSignal = z.discriminatedUnion("type", [
  z.object({ type: z.literal("pong") }),
  /** A machine has used the code; `times` counts its claims. */
  z.object({ type: z.literal("joined"), by: Joined, times: z.number().int() }),
  /** Whether a half of that machine waits or serves at the relay, so that clients may come. */
  z.object({ type: z.literal("presence"), present: z.boolean() }),
  z.object({ type: z.literal("ended"), reason: Reason }),
]);
export type WatchSignal = z.infer<typeof WatchSignal>;

/** A new code: 50 random bits as ten symbols, in two groups that can be spoken. */
export function newCode(random: Random): string {
  return formatCode(randomSymbols(codeSymbols, random));
}

/** Fills the bytes with random bits, and gives them back. */
type Random = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;

/** Random symbols that nobody mishears or misreads, 5 bits each. */
export function randomSymbols(count: number, random: Random): string {
  return [...random(new Uint8Array(count))].map((byte) => alphabet[byte & 31]).join("");
}

/** The code as it is written, whatever way somebody typed it: `k7q2x 9fmtr`, O for 0, I or L for 1. Undefined: not a code. */
export function readCode(text: string): string | undefined {
  const symbols = text
    .slice(0, 40)
    .toUpperCase()
    .replace(/[\s-]/g, "")
    .replaceAll("O", "0")
    .replace(/[IL]/g, "1");
  return codePattern.test(symbols) ? formatCode(symbols) : undefined;
}

function formatCode(symbols: string): string {
  return `${symbols.slice(0, codeSymbols / 2)}-${symbols.slice(codeSymbols / 2)}`;
}
