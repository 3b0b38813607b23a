import * as z from "zod";
import type { CreateSession, Policy, UpdateSession } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import { canonicalAllow } from "./allow.ts";

/** What a change of a policy may name. */
export const PolicyField = z.enum(["allow", "ttlSeconds", "pairs", "connectsPerSecond", "bytes"]);
type PolicyField = z.infer<typeof PolicyField>;

/** What a session's record says of its policy. */
export interface Terms {
  readonly policy: Policy;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | null;
  /** What its owner has changed since it was made: a restarted agent that says nothing about it does not undo it. */
  readonly changed: PolicyField[];
}

/** The terms that a request asks for; `before` are those of the session that it takes up again. */
export function requestedTerms(request: CreateSession, before: Terms | undefined, now: number): Terms {
  const asked: UpdateSession = {
    allow: request.allow ?? [],
    ttlSeconds: request.ttlSeconds ?? null,
    pairs: request.pairs ?? limits.pairsPerSession,
    connectsPerSecond: request.connectsPerSecond ?? null,
    bytes: request.bytes ?? null,
  };
  const changed = before?.changed.filter((field) => request[field] === undefined) ?? [];
  for (const field of changed) delete asked[field];
  const unlimited = { allow: [], once: false, pairs: limits.pairsPerSession };
  const start = { policy: before?.policy ?? unlimited, expiresAt: before?.expiresAt ?? null };
  const { policy, expiresAt } = changedTerms({ ...start, changed }, asked, now);
  return { policy: { ...policy, once: request.once ?? false }, expiresAt, changed };
}

/** The terms after a change: what is absent stays, null takes a limit away. */
export function changedTerms(terms: Terms, request: UpdateSession, now: number): Terms {
  const { connectsPerSecond: oldRate, bytes: oldBytes, ...rest } = terms.policy;
  const { allow, pairs, ttlSeconds, connectsPerSecond = oldRate, bytes = oldBytes } = request;
  const policy = {
    ...rest,
    ...(allow === undefined ? {} : { allow: canonicalAllow(allow) }),
    ...(pairs === undefined ? {} : { pairs }),
    ...(connectsPerSecond == null ? {} : { connectsPerSecond }),
    ...(bytes == null ? {} : { bytes }),
  };
  const named = PolicyField.options.filter((field) => request[field] !== undefined);
  return {
    policy,
    expiresAt: newEnd(terms, ttlSeconds, now),
    changed: [...new Set([...terms.changed, ...named])],
  };
}

function newEnd({ expiresAt }: Terms, ttlSeconds: number | null | undefined, now: number): number | null {
  if (ttlSeconds === undefined) return expiresAt;
  return ttlSeconds === null ? null : now + ttlSeconds * 1_000;
}
