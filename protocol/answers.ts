import type * as z from "zod";
import { about } from "./about.ts";
import { Session } from "./api.ts";
import type { CreateSession } from "./api.ts";
import { CreatedInvitation } from "./invitations.ts";
import type { CreateInvitation } from "./invitations.ts";
import { CreatedKey, KeyList } from "./keys.ts";
import type { CreateKey } from "./keys.ts";

/** A session that was asked for by its name or id. */
export function theSession(idOrName: string): z.ZodType<Session> {
  return about(Session, idOrName, ({ id, name }) => id === idOrName || name === idOrName);
}

/** The session that was wanted; the control plane chooses no more of its name than the number behind it. */
export function created(request: CreateSession): z.ZodType<Session> {
  const { name, suggestedName, target } = request;
  return about(Session, name ?? suggestedName ?? "a new session", (session) => {
    const named = name === undefined ? isNumbered(session.name, suggestedName) : session.name === name;
    // What is to be private gets no public port.
    return named && session.target === target && (session.private || request.private !== true);
  });
}

function isNumbered(name: string, suggested: string | undefined): boolean {
  if (suggested === undefined || name === suggested) return true;
  const base = name.replace(/-\d{1,4}$/, "");
  return base !== name && base !== "" && suggested.startsWith(base);
}

/** The invitation that was wanted: its code stands in what is sent to others. */
export function invited(request: CreateInvitation): z.ZodType<CreatedInvitation> {
  return about(CreatedInvitation, "a new invitation", ({ session, code, url, line, powershell, raw }) => {
    const isIt =
      session.target === request.target &&
      session.private === (request.private ?? false) &&
      (request.name === undefined || session.name === request.name) &&
      (raw !== null) === (request.raw !== undefined);
    return isIt && url.endsWith(`/j/${code}`) && line.includes(url) && powershell.includes(url);
  });
}

/** The key that was wanted, of the account that was named or of the token's own. */
export function theKey(request: CreateKey, ownAccount: string | undefined): z.ZodType<CreatedKey> {
  const wanted = request.account ?? ownAccount;
  return about(CreatedKey, "a new key", ({ account, label, scopes, names, relay, region, token }) => {
    const isBound =
      sameSet(names ?? [], request.names ?? []) &&
      relay === (request.relay ?? null) &&
      region === (request.region ?? null);
    const isIt = label === (request.label ?? "") && sameSet(scopes, request.scopes) && isBound;
    return isIt && (wanted ?? account) === account && token.startsWith(`rdv_${account.slice(2)}_`);
  });
}

/** Keys of one account; undefined: of whichever the token is. */
export function keysOf(account: string | undefined): z.ZodType<KeyList> {
  return about(KeyList, `the keys of ${account ?? "the token"}`, ({ keys }) =>
    keys.every((key) => account === undefined || key.account === account),
  );
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === new Set(other).size && one.every((each) => other.includes(each));
}
