import { SeenAddress } from "../protocol/connect.ts";
import { RdvError } from "../protocol/errors.ts";
import { isLoopback, plainAddress } from "../protocol/plain-address.ts";

/**
 * The address of the client: `peer`, which the host says is at the other end of the connection, or, when that is this
 * very machine, what the proxy on it added last to `X-Forwarded-For`. Anybody else can write anything into that header.
 */
export function behindLocalProxy(peer: string | undefined, forwardedFor: string | null): string | undefined {
  const last = forwardedFor?.split(",").at(-1)?.trim();
  return isLoopback(peer ?? "") && last ? last : peer;
}

/**
 * The other end of a connection, from nothing but the connection: a header could name any address. Throws `not_found`
 * on a host that does not see ports.
 */
export function seenAddress({
  address = "",
  port,
}: {
  address?: string | undefined;
  port?: number | undefined;
}): SeenAddress {
  const plain = plainAddress(address);
  const seen = SeenAddress.safeParse({ address: plain, port });
  if (seen.success) return seen.data;
  throw new RdvError("not_found", "This control plane does not see ports; ask a relay, at the same path");
}
