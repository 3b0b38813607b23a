import type { PageQuery } from "../protocol/api.ts";
import type { CreateKey, Key, KeyList } from "../protocol/keys.ts";
import { limits } from "../protocol/limits.ts";
import { createTable } from "./cell.ts";
import type { Grant } from "./grants.ts";
import { KeyRecord, grantOf, hasExpired, keyIdOf, keyView, newKey, rootKey, sameText } from "./keys.ts";
import type { Outcome } from "./outcome.ts";
import { done, refuse } from "./outcome.ts";
import type { ObjectContext } from "./platform.ts";

/** The keys of one account. Every verb is atomic. */
export interface KeyRing {
  /** What the key opens whose token has this SHA-256; undefined when there is none, or none any more. */
  check(hash: string): Grant | undefined;
  /** Whether what was opened with this key may go on. */
  isValid(id: string): boolean;
  add(hash: string, request: CreateKey): Outcome<KeyRecord>;
  /** The key that was removed. */
  remove(id: string): KeyRecord | undefined;
  list(account: string, query: PageQuery): KeyList;
  /** Removes the keys whose time is over, and gives their ids. */
  removeExpired(): string[];
  /** When the next key expires, in milliseconds since 1970. */
  nextExpiry(): number | undefined;
}

/** The ring in an account object's storage. */
export function createKeyRing(ctx: ObjectContext, now: () => number): KeyRing {
  const table = createTable(ctx.kv, "api-key", KeyRecord);
  const valid = (id: string): KeyRecord | undefined => {
    const record = table.get(id);
    return record && !hasExpired(record, now()) ? record : undefined;
  };
  const remove = (id: string): KeyRecord | undefined => {
    const record = table.get(id);
    table.delete(id);
    return record;
  };
  return {
    check: (hash) => {
      const record = valid(keyIdOf(hash));
      // Found by the start of a hash that nobody can steer, then compared whole and in constant time.
      return record && sameText(record.hash, hash) ? grantOf(record) : undefined;
    },
    isValid: (id) => id === rootKey || valid(id) !== undefined,
    add: (hash, request) => {
      if ([...table.entries()].length >= limits.keysPerAccount)
        return refuse(
          "quota",
          `The account has ${limits.keysPerAccount} keys; revoke some with rdv keys revoke`,
        );
      const record = newKey(hash, request, now());
      table.set(keyIdOf(hash), record);
      return done(record);
    },
    remove,
    list: (account, { cursor, limit }) => {
      const page = { limit: limit + 1, ...(cursor === undefined ? {} : { startAfter: cursor }) };
      const found: Key[] = [...table.entries(page)].map(([, record]) => keyView(account, record));
      const keys = found.slice(0, limit);
      const last = keys.at(-1);
      return found.length > limit && last ? { keys, next: last.id } : { keys };
    },
    removeExpired: () => {
      const expired = [...table.entries()]
        .filter(([, record]) => hasExpired(record, now()))
        .map(([id]) => id);
      for (const id of expired) table.delete(id);
      return expired;
    },
    nextExpiry: () => {
      const times = [...table.entries()].flatMap(([, { expiresAt }]) => expiresAt ?? []);
      return times.length === 0 ? undefined : Math.min(...times);
    },
  };
}
