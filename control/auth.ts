import * as z from "zod";
import { AccountId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { unbounded } from "./grants.ts";
import type { Grant } from "./grants.ts";
import { keyIdOf, rootKey, sameText, sha256 } from "./keys.ts";
import { opens } from "./route.ts";
import type { Access } from "./route.ts";
import type { ControlEnv } from "./services.ts";

/** The operator's account: it owns the fleet. */
export const adminAccount = "a_admin";

/** Who sent a request, and what the key opens. */
export interface Caller extends Grant {
  readonly account: string;
  readonly key: string;
}

/** A token that may be worth a look: where its account is, and what is known about it without asking. */
export interface Presented {
  readonly account: string;
  readonly hash: string;
  readonly isRoot: boolean;
}

/** `rdv_<account suffix>_<secret>`: the account is named in the token so that only its own object is asked. */
const tokenPattern = /^rdv_([a-z0-9]{1,40})_[A-Za-z0-9_-]{16,200}$/;
const Hash = z.string().regex(/^[0-9a-f]{64}$/i);

/**
 * Reads a request's Bearer token (RFC 6750), without asking anybody whether it is a key.
 * Throws `unauthorized` when it is none, and `not_configured`.
 */
export async function readToken(env: ControlEnv, authorization: string | null): Promise<Presented> {
  const adminHash = adminKeyHash(env);
  const token = /^Bearer +(\S{1,300})$/i.exec(authorization ?? "")?.[1];
  if (token === undefined)
    throw new RdvError(
      "unauthorized",
      "Send the header Authorization: Bearer <token>; rdv takes it from --token or RDV_TOKEN",
    );
  const hash = await sha256(token);
  if (sameText(hash, adminHash)) return { account: adminAccount, hash, isRoot: true };
  const account = AccountId.safeParse(`a_${tokenPattern.exec(token)?.[1] ?? ""}`).data;
  if (account === undefined) throw unknownToken();
  return { account, hash, isRoot: false };
}

/** The caller that a token stands for; throws `unauthorized`. */
export async function authenticate(env: ControlEnv, { account, hash, isRoot }: Presented): Promise<Caller> {
  if (isRoot) return { account, key: rootKey, ...unbounded(["admin"]) };
  const grant = await env.ACCOUNTS.getByName(account).checkKey(hash);
  if (grant === null) throw unknownToken();
  return { account, key: keyIdOf(hash), ...grant };
}

/** Throws `forbidden` when the caller's key does not open the route. */
export function checkAccess(access: Access, { account, scopes }: Caller): void {
  if (access === "public" || access === "any") return;
  const { scopes: needed, operator } = opens[access];
  if (operator && account !== adminAccount)
    throw new RdvError("forbidden", "Only the operator's account has relays");
  if (needed.some((scope) => scopes.includes(scope))) return;
  throw new RdvError("forbidden", `This key has no scope ${needed[0]}; its scopes are ${scopes.join(", ")}`);
}

/** The id of the key with which an authenticated request was sent. */
export async function keyOfRequest(env: ControlEnv, request: Request): Promise<string> {
  const { hash, isRoot } = await readToken(env, request.headers.get("authorization"));
  return isRoot ? rootKey : keyIdOf(hash);
}

/** The configured hash of the operator's root token; throws `not_configured` when it is missing or malformed. */
export function adminKeyHash(env: ControlEnv): string {
  const hash = Hash.safeParse(env.RDV_ADMIN_KEY_HASH);
  if (hash.success) return hash.data.toLowerCase();
  throw new RdvError(
    "not_configured",
    "RDV_ADMIN_KEY_HASH is not set to the SHA-256 (hexadecimal) of the administrator's token",
  );
}

function unknownToken(): RdvError {
  return new RdvError(
    "unauthorized",
    "The token is not known here; check --token or RDV_TOKEN, and --control",
  );
}
