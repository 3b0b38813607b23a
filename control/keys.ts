import * as z from "zod";
import { Region, RelayId } from "../protocol/api.ts";
import { NamePattern, Scope } from "../protocol/keys.ts";
import type { CreateKey, CreatedKey, Key } from "../protocol/keys.ts";
import type { Grant } from "./grants.ts";
import { isoTime } from "./sessions.ts";

/**
 * A key as its account stores it: only the SHA-256 of the token is kept. A slow password hash would add nothing,
 * because the secret is 256 random bits and cannot be guessed from a list.
 */
export const KeyRecord = z.object({
  hash: z.string(),
  label: z.string(),
  scopes: z.array(Scope),
  names: z.array(NamePattern).nullable().default(null),
  relay: RelayId.nullable().default(null),
  region: Region.nullable().default(null),
  /** Milliseconds since 1970. */
  createdAt: z.number(),
  expiresAt: z.number().nullable(),
});
export type KeyRecord = z.infer<typeof KeyRecord>;

/** Stands for the operator's key, which the environment configures and no account stores. */
export const rootKey = "root";

/** A key's id: the start of its token's hash, so that whoever holds a request can name its key without a lookup. */
export function keyIdOf(hash: string): string {
  return `k_${hash.slice(0, 26)}`;
}

/** A new token of an account, `rdv_<account suffix>_<43 characters>`: 256 random bits. */
export function newToken(account: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const secret = btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
  return `rdv_${account.slice(2)}_${secret}`;
}

/** The record of a key that was just asked for. */
export function newKey(hash: string, request: CreateKey, now: number): KeyRecord {
  const { label = "", scopes, names = null, relay = null, region = null, expiresInSeconds } = request;
  const expiresAt = expiresInSeconds === undefined ? null : now + expiresInSeconds * 1_000;
  return { hash, label, scopes: [...new Set(scopes)], names, relay, region, createdAt: now, expiresAt };
}

export function hasExpired({ expiresAt }: KeyRecord, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** What the key opens. */
export function grantOf({ scopes, names, relay, region }: KeyRecord): Grant {
  return { scopes, names, relay, region };
}

/** The key as its account's owner sees it. */
export function keyView(account: string, record: KeyRecord): Key {
  const { hash, label, scopes, names, relay, region, createdAt, expiresAt } = record;
  return {
    id: keyIdOf(hash),
    account,
    label,
    scopes,
    names,
    relay,
    region,
    createdAt: isoTime(createdAt),
    expiresAt: expiresAt === null ? null : isoTime(expiresAt),
  };
}

/** The one answer that shows a token. */
export function createdKeyView(account: string, record: KeyRecord, token: string): CreatedKey {
  return { ...keyView(account, record), token };
}

/** SHA-256 in hexadecimal. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Compares two hashes of equal length in a time that does not tell where they differ. */
export function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
