import { SignJWT, errors, importJWK, jwtVerify } from "jose";
import type { CryptoKey, JSONWebKeySet, JWK } from "jose";
import { createLocalJWKSet } from "jose";
import * as z from "zod";
import { AccountId, Cidr, Port, RelayId, SessionId, SessionName, Thumbprint } from "./api.ts";
import { RdvError } from "./errors.ts";
import { KeyId } from "./keys.ts";
import { limits } from "./limits.ts";

/** What a half may do, signed by the control plane and checked offline by one relay. */
export const Ticket = z.object({
  kind: z.enum(["agent", "client"]),
  relay: RelayId,
  session: SessionId,
  owner: AccountId,
  name: SessionName,
  /** The session's own port on that relay; null for a session without public port. */
  clientPort: Port.nullable(),
  epoch: z.number().int().min(1),
  allow: z.array(Cidr).max(limits.allowList),
  once: z.boolean(),
  pairs: z.number().int().min(1).max(limits.pairsPerSession),
  /** Of an invited machine: the relay tells the control plane whether it is there. */
  invited: z.boolean().optional(),
  /** Opens a port on which whoever comes is the agent: from this range, or from the address that comes first. */
  raw: z.object({ port: Port, from: Cidr.nullable() }).optional(),
  /** Plain clients a second, and bytes of both directions, of the whole session; absent means no such limit. */
  connectsPerSecond: z.number().int().min(1).optional(),
  bytes: z.number().int().min(1).optional(),
  /** Thumbprint of the key with which every half proves that the ticket is its own (RFC 7800 section 3.1, RFC 9449 section 6). */
  cnf: z.object({ jkt: Thumbprint }).optional(),
  /** Of a client: the key that asked for it; the ticket ends with that key. Absent for the operator's own. */
  key: KeyId.optional(),
  /** Counts the session's changes: of two tickets of one epoch the higher one has the newer policy. */
  revision: z.number().int().min(0).optional(),
  /** Seconds since 1970. */
  expires: z.number().int(),
});
export type Ticket = z.infer<typeof Ticket>;

/** A signed ticket as an agent gets it: it goes into a request's head as it is, so it must be a token (RFC 6750 section 2.1). */
export const SentTicket = z
  .string()
  .max(limits.ticketBytes)
  .regex(/^[\w.~+/=-]+$/, "not a ticket");

const issuer = "rdv";
const algorithm = "EdDSA";

/** Signs a ticket as a JWT (RFC 7519) with Ed25519 (RFC 8037). */
export async function signTicket(
  ticket: Ticket,
  key: { readonly kid: string; readonly privateKey: CryptoKey },
): Promise<string> {
  const { relay, session, expires, ...claims } = ticket;
  return await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: algorithm, kid: key.kid, typ: "JWT" })
    .setIssuer(issuer)
    .setAudience(relay)
    .setSubject(session)
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(key.privateKey);
}

/** Imports the control plane's private signing key (an OKP JWK with `d` and `kid`). */
export async function importSigningKey(jwk: JWK): Promise<{ kid: string; privateKey: CryptoKey }> {
  const privateKey = await importJWK(jwk, algorithm);
  if (privateKey instanceof Uint8Array || !jwk.kid || jwk.d === undefined)
    throw new RdvError("not_configured", "The signing key is not an Ed25519 private JWK with a kid");
  return { kid: jwk.kid, privateKey };
}

/** The public half of a signing key, as published in the JWKS (RFC 7517). */
export function publicJwk(jwk: JWK): JWK {
  const { d: _private, ...open } = jwk;
  return { ...open, alg: algorithm, use: "sig" };
}

/**
 * Makes a verifier for one relay. It throws `ticket_expired`, `wrong_relay` or `ticket_invalid`.
 * Verification costs about 160 µs, so callers cache the outcome while the ticket lives.
 */
export function createTicketVerifier(
  jwks: JSONWebKeySet,
  relay: string,
  now: () => number,
): (token: string) => Promise<Ticket> {
  const keys = createLocalJWKSet(jwks);
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: [algorithm],
        issuer,
        audience: relay,
        clockTolerance: limits.ticketSkewSeconds,
        currentDate: new Date(now()),
      });
      return Ticket.parse({ ...payload, relay, session: payload.sub, expires: payload.exp });
    } catch (cause) {
      throw verificationError(cause);
    }
  };
}

function verificationError(cause: unknown): RdvError {
  if (cause instanceof errors.JWTExpired)
    return new RdvError("ticket_expired", "The ticket has expired; ask the control plane for a new one", {
      cause,
    });
  if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === "aud")
    return new RdvError("wrong_relay", "The ticket is for another relay", { cause });
  return new RdvError("ticket_invalid", "The ticket is not valid for this relay", { cause });
}
