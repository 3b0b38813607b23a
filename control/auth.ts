import * as z from "zod";
import { AccountId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import type { ControlEnv } from "./services.ts";

/** The administrator's account: it owns the fleet. */
export const adminAccount = "a_admin";

/** `rdv_<account suffix>_<secret>`: the account is named in the token so that only its own object is asked. */
const tokenPattern = /^rdv_([a-z0-9]{1,40})_[A-Za-z0-9_-]{16,200}$/;
const Hash = z.string().regex(/^[0-9a-f]{64}$/i);

/** The account that a request's Bearer token (RFC 6750) belongs to; throws `unauthorized` or `not_configured`. */
export async function authenticate(env: ControlEnv, authorization: string | undefined): Promise<string> {
  const adminHash = adminKeyHash(env);
  const token = /^Bearer +(\S{1,300})$/i.exec(authorization ?? "")?.[1];
  if (token === undefined)
    throw new RdvError(
      "unauthorized",
      "Send the header Authorization: Bearer <token>; rdv takes it from --token or RDV_TOKEN",
    );
  const hash = await sha256(token);
  if (sameText(hash, adminHash)) return adminAccount;
  const suffix = tokenPattern.exec(token)?.[1];
  const account = suffix === undefined ? undefined : AccountId.safeParse(`a_${suffix}`).data;
  if (
    account !== undefined &&
    account !== adminAccount &&
    (await env.ACCOUNTS.getByName(account).hasKey(hash))
  )
    return account;
  throw new RdvError(
    "unauthorized",
    "The token is not known here; check --token or RDV_TOKEN, and --control",
  );
}

/** The configured hash of the administrator's token; throws `not_configured` when it is missing or malformed. */
export function adminKeyHash(env: ControlEnv): string {
  const hash = Hash.safeParse(env.RDV_ADMIN_KEY_HASH);
  if (hash.success) return hash.data.toLowerCase();
  throw new RdvError(
    "not_configured",
    "RDV_ADMIN_KEY_HASH is not set to the SHA-256 (hexadecimal) of the administrator's token",
  );
}

/** SHA-256 in hexadecimal. */
async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Compares two hashes of equal length in a time that does not tell where they differ. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
