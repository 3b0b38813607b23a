import type { JWK } from "jose";
import * as z from "zod";
import { RdvError } from "../protocol/errors.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { importSigningKey, publicJwk, signTicket } from "../protocol/tickets.ts";

const SigningJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().min(1),
  d: z.string().min(1),
  kid: z.string().min(1),
});

/** Signs tickets and publishes the key that verifies them. */
export interface Signer {
  /** The public key set (RFC 7517); throws `not_configured` without a signing key. */
  jwks(): { keys: JWK[] };
  sign(ticket: Ticket): Promise<string>;
}

/** Makes a signer from the private JWK's JSON text; the key is imported once, on first use. */
export function createSigner(text: string | undefined): Signer {
  let imported: ReturnType<typeof importSigningKey> | undefined;
  return {
    jwks: () => ({ keys: [publicJwk(parseKey(text))] }),
    sign: async (ticket) => {
      imported ??= importSigningKey(parseKey(text));
      return await signTicket(ticket, await imported);
    },
  };
}

function parseKey(text: string | undefined): JWK {
  try {
    return SigningJwk.parse(JSON.parse(text ?? ""));
  } catch (cause) {
    throw new RdvError("not_configured", "RDV_SIGNING_KEY is not a private Ed25519 JWK with a kid", {
      cause,
    });
  }
}
