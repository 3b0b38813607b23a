import { askPlaces } from "../../agent/direct/ask-places.ts";
import { askAddress } from "../../net/direct/ask-address.ts";
import type { AskPlace } from "../../net/direct/ask-address.ts";
import { localAddresses } from "../../net/direct/local-addresses.ts";
import { mappingOf } from "../../net/direct/mapping.ts";
import { createDisposalStack } from "../../net/disposal-stack.ts";
import { freePort } from "../../net/free-port.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { hostPort } from "../../protocol/api.ts";
import type { SeenAddress } from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import { stepMs } from "./bounded.ts";
import { isLoopbackHost } from "../../protocol/plain-address.ts";
import { ok, skip, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import type { RelayWay } from "./relay-way.ts";

/** Relays, and the control plane where it sees ports. Two would do; a third one shows a NAT that gave the same port by luck. */
const mostAsked = 3;

/** What stands between this machine and the relays, and whether two machines can meet without them. */
export async function checkNat(
  relays: readonly RelayCandidate[],
  control: URL,
  { proxied, signal }: RelayWay,
): Promise<Finding> {
  return await judged(
    signal,
    async () => {
      if (proxied) return skip("nat", "halves go through a proxy, so everything goes through relays");
      const seen = await askAll(askPlaces(relays, control.href).slice(0, mostAsked), signal);
      return judgeNat(seen, localAddresses({ loopback: true }).ipv4);
    },
    ({ message }) => skip("nat", message),
  );
}

/** How those that answer see one and the same local port; the connections overlap, so that it stays theirs. */
async function askAll(places: readonly AskPlace[], signal: AbortSignal): Promise<SeenAddress[]> {
  await using asked = createDisposalStack();
  const port = await freePort();
  const seen: SeenAddress[] = [];
  for (const place of places)
    try {
      seen.push(asked.use(await askAddress(place, port, { signal, timeoutMs: stepMs })).seen);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RdvError)) throw error;
    }
  return seen;
}

/** What it means how relays see a port of this machine, whose own addresses are `own`. */
export function judgeNat(seen: readonly SeenAddress[], own: readonly string[]): Finding {
  const mapping = mappingOf(seen);
  if (mapping.type === "unknown") return skip("nat", "nobody says in IPv4 how it sees this machine");
  if (mapping.type === "symmetric") {
    const outside = mapping.outside.map(({ address, port }) => hostPort(address, port)).join(", then ");
    return warn(
      "nat",
      `a symmetric NAT (RFC 4787: address and port-dependent mapping): one local port was seen as ${outside}`,
      "nobody can foretell its ports, so most direct connections fail and go through a relay, which needs nothing else; IPv6, or another setting of the router, would help",
    );
  }
  const { address, port } = mapping.outside;
  if (isLoopbackHost(address)) return skip("nat", "the relays are on this machine, so no NAT is between");
  if (own.includes(address))
    return ok(
      "nat",
      `none on the way to the relays, which see ${address}, this machine's own; a direct path is possible`,
    );
  const outside = `seen as ${hostPort(address, port)}`;
  if (seen.length === 1)
    return ok("nat", `there is one, ${outside}; its kind shows when more than one relay can be asked`);
  return ok(
    "nat",
    `there is one, the same for all destinations (RFC 4787: endpoint-independent mapping), ${outside}; a direct path is possible`,
  );
}
