import type { Candidate, SeenAddress } from "../../protocol/connect.ts";

/**
 * What a NAT makes of a local port. `independent`: the same outside port for every destination, so far as was seen
 * (RFC 4787 section 4.1). `symmetric`: another one for each, which nobody can foretell. `unknown`: nobody told.
 */
export type Mapping =
  | { readonly type: "independent"; readonly outside: SeenAddress }
  | { readonly type: "symmetric"; readonly outside: readonly SeenAddress[] }
  | { readonly type: "unknown" };

/** The mapping, from how one local port was seen from different places. */
export function mappingOf(seen: readonly SeenAddress[]): Mapping {
  const [first, ...more] = seen;
  if (first === undefined) return { type: "unknown" };
  const same = more.every(({ address, port }) => address === first.address && port === first.port);
  return same ? { type: "independent", outside: first } : { type: "symmetric", outside: seen };
}

/**
 * What a side says of the port from which it dials. All that was seen of a symmetric NAT goes along: the ports are of
 * no use, but who dials the address lets it in where the filter of its own NAT asks for no more than that.
 */
export function mappedCandidates(mapping: Mapping): Candidate[] {
  if (mapping.type === "unknown") return [];
  const all = mapping.type === "symmetric" ? mapping.outside : [mapping.outside];
  return all.map((outside) => ({ kind: "mapped", ...outside, listens: false }));
}

/** Whether a side that says this is behind a symmetric NAT. */
export function isSymmetric(candidates: readonly Candidate[]): boolean {
  return candidates.filter(({ kind, listens }) => kind === "mapped" && !listens).length > 1;
}
