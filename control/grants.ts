import { RdvError } from "../protocol/errors.ts";
import { matchesName } from "../protocol/keys.ts";
import type { Scope } from "../protocol/keys.ts";

/** What a key opens; null is no bound. */
export interface Grant {
  readonly scopes: readonly Scope[];
  /** Names and patterns of the sessions that it is for. */
  readonly names: readonly string[] | null;
  /** The one relay that may come with it, and the region that it may say. */
  readonly relay: string | null;
  readonly region: string | null;
}

/** A key, as far as sessions are concerned. */
export type SessionGrant = Pick<Grant, "scopes" | "names"> & { readonly key: string };

/** A session, as far as keys are concerned. */
export interface HeldSession {
  readonly name: string;
  /** Keys with which it was made and its agent came. */
  readonly keys: readonly string[];
  /** Somebody else's machine is its agent, by an invitation. */
  readonly invited: boolean;
}

/** A grant of these scopes that nothing narrows. */
export function unbounded(scopes: readonly Scope[]): Grant {
  return { scopes, names: null, relay: null, region: null };
}

/** What another object has to know of a caller's key. */
export function sessionGrant({ key, scopes, names }: SessionGrant): SessionGrant {
  return { key, scopes, names };
}

/** Whether a key is for all sessions of its account. */
export function rulesAll({ scopes }: Pick<Grant, "scopes">): boolean {
  return scopes.includes("sessions") || scopes.includes("admin");
}

/**
 * Whether a key may be a session's agent, change it and end it: one that is for names, those with its names; one that
 * is not, those that were made with it. A session of another key is nobody's to take.
 */
export function mayServe(grant: SessionGrant, { name, keys, invited }: HeldSession): boolean {
  if (rulesAll(grant)) return true;
  if (!grant.scopes.includes("expose") || invited) return false;
  return grant.names === null ? keys.includes(grant.key) : matchesName(grant.names, name);
}

/** Whether a key may come to a session as a client. */
export function mayReach(grant: SessionGrant, { name }: HeldSession): boolean {
  if (rulesAll(grant)) return true;
  return grant.scopes.includes("connect") && (grant.names === null || matchesName(grant.names, name));
}

/** Throws `forbidden` for a session that is to have a name which is not among the key's. */
export function checkName({ names }: Pick<Grant, "names">, wanted: string | undefined): void {
  if (names === null || (wanted !== undefined && matchesName(names, wanted))) return;
  throw new RdvError("forbidden", `This key is for sessions named ${names.join(", ")}; give --name`);
}
