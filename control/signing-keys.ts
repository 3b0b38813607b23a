import * as z from "zod";
import { RdvError } from "../protocol/errors.ts";
import type { RotatedSigningKey } from "../protocol/keys.ts";
import { limits } from "../protocol/limits.ts";

/** A private Ed25519 key (RFC 8037) with the id that tickets name. */
export const SigningJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().min(1),
  d: z.string().min(1),
  kid: z.string().min(1),
});
export type SigningJwk = z.infer<typeof SigningJwk>;

/** What verifies: of a key that does not sign here, the private part need not be known. */
const VerifyingJwk = SigningJwk.omit({ d: true });

/** A key and the second since 1970 from which it signs. */
export const TimedKey = z.object({ jwk: SigningJwk, signsFrom: z.number().int().min(0) });
export type TimedKey = z.infer<typeof TimedKey>;

/** The keys of one moment: one signs, tickets of all that are published are good. */
export interface SigningKeys {
  readonly signing: SigningJwk;
  readonly published: readonly z.infer<typeof VerifyingJwk>[];
}

/** Where the keys of a control plane come from. */
export interface SigningKeySource {
  /** Throws `not_configured` without keys. */
  read(): SigningKeys;
  /** Adds a key; absent where the host cannot keep one. While the newest key does not sign yet, it is the answer again. */
  readonly rotate?: () => RotatedSigningKey;
}

/** How long a key goes on being published after its successor signs, in seconds: the longest life of a ticket. */
export const overlapSeconds = limits.invitationSeconds + limits.ticketSkewSeconds;

/** The keys that are still needed at `now`, in seconds: a key is dropped when no ticket of it can be good any more. */
export function keptKeys(keys: readonly TimedKey[], now: number): TimedKey[] {
  const sorted = keys.toSorted((one, other) => one.signsFrom - other.signsFrom);
  return sorted.filter((_, index) => {
    const successor = sorted[index + 1];
    return successor === undefined || successor.signsFrom + overlapSeconds > now;
  });
}

/** Of a list the newest key whose time has come signs, and all that are kept are published. */
export function signingKeysAt(keys: readonly TimedKey[], now: number): SigningKeys {
  const kept = keptKeys(keys, now);
  // When no time has come, as after the clock was set back, the oldest one is what relays know best.
  const signing = kept.findLast(({ signsFrom }) => signsFrom <= now) ?? kept[0];
  if (!signing) throw new RdvError("not_configured", "There is no signing key");
  return { signing: signing.jwk, published: kept.map(({ jwk }) => jwk) };
}

/** The keys of a configuration: one signs, the other one is only published, before and after the two are swapped. */
export function configuredKeys(env: {
  readonly RDV_SIGNING_KEY?: string | undefined;
  readonly RDV_SIGNING_KEY_OTHER?: string | undefined;
}): SigningKeySource {
  const { RDV_SIGNING_KEY, RDV_SIGNING_KEY_OTHER: other } = env;
  let keys: SigningKeys | undefined;
  return {
    read() {
      if (keys) return keys;
      const signing = parseKey(
        SigningJwk,
        RDV_SIGNING_KEY,
        "RDV_SIGNING_KEY is not a private Ed25519 JWK with a kid",
      );
      const published = other
        ? [signing, parseKey(VerifyingJwk, other, "RDV_SIGNING_KEY_OTHER is not an Ed25519 JWK with a kid")]
        : [signing];
      if (new Set(published.map(({ kid }) => kid)).size < published.length)
        throw new RdvError("not_configured", "RDV_SIGNING_KEY and RDV_SIGNING_KEY_OTHER have the same kid");
      keys = { signing, published };
      return keys;
    },
  };
}

function parseKey<T>(schema: z.ZodType<T>, text: string | undefined, otherwise: string): T {
  try {
    return schema.parse(JSON.parse(text ?? ""));
  } catch (cause) {
    throw new RdvError("not_configured", otherwise, { cause });
  }
}
