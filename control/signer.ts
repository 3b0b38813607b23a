import type { JWK } from "jose";
import type { Ticket } from "../protocol/tickets.ts";
import { importSigningKey, publicJwk, signTicket } from "../protocol/tickets.ts";
import type { SigningKeySource } from "./signing-keys.ts";

/** Signs tickets and publishes the keys that verify them. */
export interface Signer {
  /** The public key set (RFC 7517); throws `not_configured` without a signing key. */
  jwks(): { keys: JWK[] };
  sign(ticket: Ticket): Promise<string>;
}

/** Makes a signer; a key is imported once, when it signs first. */
export function createSigner(source: SigningKeySource): Signer {
  let imported: { readonly kid: string; readonly key: ReturnType<typeof importSigningKey> } | undefined;
  return {
    jwks: () => ({ keys: source.read().published.map(publicJwk) }),
    sign: async (ticket) => {
      const { signing } = source.read();
      if (imported?.kid !== signing.kid) imported = { kid: signing.kid, key: importSigningKey(signing) };
      return await signTicket(ticket, await imported.key);
    },
  };
}
