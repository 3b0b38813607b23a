import {
  EmbeddedJWK,
  SignJWT,
  calculateJwkThumbprint,
  decodeJwt,
  errors,
  exportJWK,
  generateKeyPair,
  jwtVerify,
} from "jose";
import * as z from "zod";
import { RdvError } from "./errors.ts";
import { halfPaths } from "./handshake.ts";
import type { HalfKind } from "./handshake.ts";
import { limits } from "./limits.ts";
import { Ticket } from "./tickets.ts";

/** What one proof is for: this request of a half, with this ticket. */
export interface ProvenRequest {
  readonly kind: HalfKind;
  /** The relay's `host:port`, as in the request's `Host`. */
  readonly host: string;
  readonly ticket: string;
}

/** A key that lives as long as its process, and shows that tickets bound to it are the sender's own. */
export interface ProofKey {
  /** Of the public key (RFC 7638): what tickets are bound to. */
  readonly thumbprint: string;
  /**
   * A proof (RFC 9449 section 4.2) for one request; each is good once, for `limits.proofSeconds`. Throws
   * `proof_invalid` when the ticket is not bound to this key.
   */
  prove(request: ProvenRequest): Promise<string>;
}

interface ProofDeps {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const algorithm = "EdDSA";
const type = "dpop+jwt";

/** Makes a new key, Ed25519; nothing of it is kept anywhere. */
export async function createProofKey({ now = Date.now }: ProofDeps = {}): Promise<ProofKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { crv: "Ed25519" });
  const jwk = await exportJWK(publicKey);
  const thumbprint = await calculateJwkThumbprint(jwk);
  return {
    thumbprint,
    prove: async ({ kind, host, ticket }) => {
      if (!isBound(ticket, thumbprint)) throw unbound();
      return await new SignJWT({ htm: "GET", htu: uriOf(kind, host), ath: await hashOf(ticket) })
        .setProtectedHeader({ typ: type, alg: algorithm, jwk })
        .setJti(randomId())
        .setIssuedAt(new Date(now()))
        .sign(privateKey);
    },
  };
}

/** A ticket that goes in the clear must be worth nothing to those who read it. */
function isBound(ticket: string, thumbprint: string): boolean {
  try {
    return Ticket.shape.cnf.parse(decodeJwt(ticket)["cnf"])?.jkt === thumbprint;
  } catch {
    return false;
  }
}

function unbound(): RdvError {
  return new RdvError(
    "proof_invalid",
    "The control plane has not bound the ticket to this process's key, so it is not sent in the clear; do without --plain",
  );
}

const Claims = z.object({
  htm: z.literal("GET"),
  htu: z.string().max(400),
  ath: z.string().max(64),
  iat: z.number().int(),
  jti: z.string().regex(/^[\x21-\x7e]{16,64}$/),
});

/** A proof that was found good. Who takes it must see to it that its `id` never comes again before `until`. */
export interface CheckedProof {
  readonly id: string;
  /** Seconds since 1970; when it was made, and when it is too old in any case. */
  readonly issued: number;
  readonly until: number;
}

/**
 * Checks the proof of a request against the thumbprint in its ticket, at a time (milliseconds since 1970). Throws
 * `proof_invalid` with what is wrong (RFC 9449 section 4.3).
 */
export async function checkProof(
  proof: string,
  request: ProvenRequest,
  thumbprint: string,
  now: number,
): Promise<CheckedProof> {
  const { claims, jkt } = await readProof(proof);
  if (jkt !== thumbprint) throw invalid("the proof is of another key than the ticket's");
  if (claims.htu !== uriOf(request.kind, request.host)) throw invalid("the proof is for another address");
  if (claims.ath !== (await hashOf(request.ticket))) throw invalid("the proof is for another ticket");
  const age = Math.round(now / 1_000 - claims.iat);
  if (Math.abs(age) > limits.proofSeconds)
    throw invalid(`the proof is ${age} s old: is the clock of one side wrong?`);
  return { id: `${jkt}.${claims.jti}`, issued: claims.iat, until: claims.iat + limits.proofSeconds };
}

async function readProof(proof: string): Promise<{ claims: z.infer<typeof Claims>; jkt: string }> {
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      algorithms: [algorithm],
      typ: type,
    });
    if (!protectedHeader.jwk) throw new errors.JWSInvalid("no key");
    return { claims: Claims.parse(payload), jkt: await calculateJwkThumbprint(protectedHeader.jwk) };
  } catch (cause) {
    throw invalid("not a proof", cause);
  }
}

function invalid(why: string, cause?: unknown): RdvError {
  return new RdvError("proof_invalid", `The ticket is not taken: ${why}`, { cause });
}

/** The same on a TLS leg and on a plain one: what is proven is at which relay the request is made. */
function uriOf(kind: HalfKind, host: string): string {
  return `http://${host.toLowerCase()}${halfPaths[kind]}`;
}

async function hashOf(ticket: string): Promise<string> {
  return base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(ticket)));
}

function randomId(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(16)).buffer);
}

function base64url(bytes: ArrayBuffer): string {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
