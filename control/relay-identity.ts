import * as z from "zod";
import { Fingerprint } from "../protocol/api.ts";
import type { RelaySignal } from "../protocol/signals.ts";

/**
 * Whom a relay's id belongs to: the key, and the key of its certificate, with which it first said hello. Ids are public,
 * so an id alone proves nothing.
 */
export const RelayIdentity = z.object({
  /** Id of the key. */
  key: z.string(),
  tls: Fingerprint.nullable(),
  /** The operator lets the next hello of this key say the certificate's key anew. */
  open: z.boolean(),
});
export type RelayIdentity = z.infer<typeof RelayIdentity>;

type Hello = Extract<RelaySignal, { type: "hello" }>;

/** Why a link with this key is not the relay's, or undefined. */
export function foreignKey(id: string, identity: RelayIdentity | undefined, key: string): string | undefined {
  if (!identity || identity.key === key) return undefined;
  return `The relay ${id} belongs to another key; if it is to have this one: rdv relays rekey ${id} --key ${key}`;
}

/** Why a hello is not the relay's, or undefined; `region` is the only one that its key may say. */
export function foreignHello(
  id: string,
  identity: RelayIdentity | undefined,
  region: string | null,
  hello: Hello,
): string | undefined {
  if (region !== null && hello.region !== region)
    return `This key is for a relay of the region ${region}, not of ${hello.region}`;
  // A relay that had no certificate may get one; what it had, nobody takes from it.
  if (!identity || identity.open || identity.tls === null || identity.tls === hello.tls) return undefined;
  return `The relay ${id} has another TLS key; if it is to have this one: rdv relays rekey ${id}`;
}
