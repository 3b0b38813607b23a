import * as z from "zod";
import { AccountId, PlainText, Region, RelayId, next } from "./api.ts";
import { limits } from "./limits.ts";

export const KeyId = z.string().regex(/^k_[0-9a-f]{26}$/);

/**
 * What a key may do: `expose` serve sessions as their agent, `connect` reach them as a client, `sessions` both, and
 * list, invite and end, `relays` join the fleet, `admin` everything of its account.
 */
export const Scope = z.enum(["expose", "connect", "sessions", "relays", "admin"]);
export type Scope = z.infer<typeof Scope>;

/** Sessions that a key is for: a name, or one with a `*` that stands for any characters, such as `cam-*`. */
export const NamePattern = z
  .string()
  .min(1)
  .max(63)
  .regex(/^(?!-)[a-z0-9-]*\*?[a-z0-9-]*(?<!-)$/, "a name, or a pattern with one *, such as cam-*");

/** Whether a session's name is one of a key's. */
export function matchesName(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const [before = "", after] = pattern.split("*");
    if (after === undefined) return name === pattern;
    return name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
  });
}

const label = PlainText.max(100);
const names = z.array(NamePattern).min(1).max(limits.namesPerKey);

/** What narrows a key below its scopes; null is no bound. */
const bounds = {
  /** Of `expose` and `connect`: the sessions that the key is for. */
  names: names.nullable().default(null),
  /** Of `relays`: the one relay that may come with it, and the region that it may say. */
  relay: RelayId.nullable().default(null),
  region: Region.nullable().default(null),
};

/** Answer of `GET /v1/whoami`: what the token of the request is. */
export const WhoAmI = z.object({
  account: AccountId,
  /** Id of the key; `root` is the operator's own, which the control plane's configuration names. */
  key: z.union([KeyId, z.literal("root")]),
  scopes: z.array(Scope),
  ...bounds,
});
export type WhoAmI = z.infer<typeof WhoAmI>;

/** Body of `POST /v1/keys`. */
export const CreateKey = z
  .strictObject({
    /** For the list alone. */
    label: label.optional(),
    scopes: z.array(Scope).min(1).max(Scope.options.length),
    names: names.optional(),
    relay: RelayId.optional(),
    region: Region.optional(),
    expiresInSeconds: z
      .number()
      .int()
      .min(1)
      .max(10 * 365 * 86_400)
      .optional(),
    /** The operator's admin key makes keys for any account; an account begins with its first key. */
    account: AccountId.optional(),
  })
  .refine(({ names, scopes }) => names === undefined || onlyHas(scopes, ["expose", "connect"]), {
    path: ["names"],
    error: "names bound the scopes expose and connect; leave out the other scopes",
  })
  .refine(
    ({ relay, region, scopes }) =>
      (relay === undefined && region === undefined) || onlyHas(scopes, ["relays"]),
    { path: ["relay"], error: "a relay and a region bound the scope relays; leave out the other scopes" },
  );
export type CreateKey = z.infer<typeof CreateKey>;

/** Body of `POST /v1/relays/:id/rekey`; without a key the relay keeps the one that it has. */
export const RekeyRelay = z.strictObject({ key: z.union([KeyId, z.literal("root")]).optional() });
export type RekeyRelay = z.infer<typeof RekeyRelay>;

/** Answer of `POST /v1/signing-keys`: the newest key, from when it signs, and until when tickets of the one before are good. */
export const RotatedSigningKey = z.object({
  kid: z.string().min(1).max(100),
  signsFrom: z.iso.datetime(),
  oldUntil: z.iso.datetime(),
});
export type RotatedSigningKey = z.infer<typeof RotatedSigningKey>;

/** A key as the list shows it. */
export const Key = z.object({
  id: KeyId,
  account: AccountId,
  label,
  scopes: z.array(Scope),
  ...bounds,
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
});
export type Key = z.infer<typeof Key>;

/** `rdv_<account>_<secret>`. */
export const Token = z.string().regex(/^rdv_[a-z0-9]{1,40}_[A-Za-z0-9_-]{16,200}$/, "not a token");

/** Answer of `POST /v1/keys`: the only one that shows the token. */
export const CreatedKey = Key.extend({ token: Token });
export type CreatedKey = z.infer<typeof CreatedKey>;

/** Answer of `GET /v1/keys`, in the order of ids. */
export const KeyList = z.object({ keys: z.array(Key), next });
export type KeyList = z.infer<typeof KeyList>;

function onlyHas(scopes: readonly Scope[], wanted: readonly Scope[]): boolean {
  return scopes.every((scope) => wanted.includes(scope));
}
