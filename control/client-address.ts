/**
 * The address of the client: `peer`, which the host says is at the other end of the connection, or, when that is this
 * very machine, what the proxy on it added last to `X-Forwarded-For`. Anybody else can write anything into that header.
 */
export function behindLocalProxy(peer: string | undefined, forwardedFor: string | null): string | undefined {
  const isLocal = peer === "::1" || /^(::ffff:)?127\./.test(peer ?? "");
  const last = forwardedFor?.split(",").at(-1)?.trim();
  return isLocal && last ? last : peer;
}
