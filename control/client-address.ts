import { SeenAddress } from "../protocol/connect.ts";
import { RdvError } from "../protocol/errors.ts";
import { plainAddress } from "../protocol/plain-address.ts";
import type { Peer } from "./app.ts";

/** The address that is counted and shown: the client's as its host knows it, or `unknown`, but never another text. */
export function clientAddress({ address = "" }: Peer): string {
  return SeenAddress.shape.address.safeParse(plainAddress(address)).data ?? "unknown";
}

/** Where a connection comes from. Throws `not_found` on a host that does not see ports, or not this client's. */
export function seenAddress(peer: Peer): SeenAddress {
  const seen = SeenAddress.safeParse({ address: clientAddress(peer), port: peer.port });
  if (seen.success) return seen.data;
  throw new RdvError("not_found", "This control plane does not see ports; ask a relay, at the same path");
}
