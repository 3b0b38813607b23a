import type { SeenAddress } from "../../protocol/connect.ts";

/**
 * What a NAT makes of a local port. `independent`: the same outside port for every destination, so far as was seen
 * (RFC 4787 section 4.1). `symmetric`: another one for each, which nobody can foretell. `unknown`: nobody told.
 */
export type Mapping =
  | { readonly type: "independent"; readonly outside: SeenAddress }
  | { readonly type: "symmetric" }
  | { readonly type: "unknown" };

/** The mapping, from how one local port was seen from different places. */
export function mappingOf(seen: readonly SeenAddress[]): Mapping {
  const [first, ...more] = seen;
  if (first === undefined) return { type: "unknown" };
  const same = more.every(({ address, port }) => address === first.address && port === first.port);
  return same ? { type: "independent", outside: first } : { type: "symmetric" };
}
