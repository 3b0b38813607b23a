import { createSigner } from "./signer.ts";
import type { Signer } from "./signer.ts";
import type { AccountVerbs } from "./account-object.ts";
import type { CountVerbs } from "./count-object.ts";
import type { GuessVerbs } from "./guess-object.ts";
import type { InvitationVerbs } from "./invitation-object.ts";
import type { Namespace } from "./platform.ts";
import type { RegionVerbs } from "./region-object.ts";
import type { RelayVerbs } from "./relay-object.ts";
import type { SessionVerbs } from "./session-object.ts";
import type { SigningKeySource } from "./signing-keys.ts";
import { configuredKeys } from "./signing-keys.ts";

/** What the platform binds: secrets, and the objects by class. */
export interface ControlEnv {
  /** Private Ed25519 JWK with a kid, as JSON; signs tickets. */
  readonly RDV_SIGNING_KEY?: string | undefined;
  /** Another one, whose tickets are good as well: the next key, or the one before. */
  readonly RDV_SIGNING_KEY_OTHER?: string | undefined;
  /** SHA-256 of the administrator's whole token, in hexadecimal. */
  readonly RDV_ADMIN_KEY_HASH?: string | undefined;
  /** Origin of the invitations' URLs, when it is not the one that the inviter's request used. */
  readonly RDV_PUBLIC_URL?: string | undefined;
  /** Their origin for those who came by loopback, which is another machine to everybody else. */
  readonly RDV_NETWORK_URL?: string | undefined;
  /** By `owner/session`. */
  readonly SESSIONS: Namespace<SessionVerbs>;
  /** By relay id. */
  readonly RELAYS: Namespace<RelayVerbs>;
  /** By account id. */
  readonly ACCOUNTS: Namespace<AccountVerbs>;
  /** By `region/<name>`, and the list of regions under `directory`. */
  readonly REGIONS: Namespace<RegionVerbs>;
  /** By the hash of the code. */
  readonly INVITATIONS: Namespace<InvitationVerbs>;
  /** By share of the sources; see guesses.ts. */
  readonly GUESSES: Namespace<GuessVerbs>;
  /** By share of the sessions; see counts.ts. */
  readonly COUNTS: Namespace<CountVerbs>;
}

/** What the app and every object use. */
export interface Services {
  readonly env: ControlEnv;
  readonly signer: Signer;
  readonly rotateSigningKey: SigningKeySource["rotate"];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** Signing keys come from the configuration unless the host keeps them itself. */
export function createServices(env: ControlEnv, keys: SigningKeySource = configuredKeys(env)): Services {
  const { rotate: rotateSigningKey } = keys;
  return { env, signer: createSigner(keys), rotateSigningKey, now: Date.now, random: Math.random };
}

/** Name of a session's object: a wrong owner addresses another, empty object. */
export function sessionObjectName(owner: string, session: string): string {
  return `${owner}/${session}`;
}

/** Name of a region's object. */
export function regionObjectName(region: string): string {
  return `region/${region}`;
}

/** Name of the object that lists the regions. */
export const directoryName = "directory";
