import { dialRelay } from "../../agent/relay-dial.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { hostPort } from "../../protocol/api.ts";
import type { RdvError } from "../../protocol/errors.ts";
import { stepMs } from "./bounded.ts";
import { isLoopbackHost } from "../../protocol/plain-address.ts";
import { fail, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import type { RelayWay } from "./relay-way.ts";

/** Whether the relay's shared port takes a connection, and how far away it is. */
export async function checkRelayConnect(
  relay: RelayCandidate,
  { local, proxies, signal }: RelayWay,
): Promise<Finding> {
  const begin = performance.now();
  const label = relayLabel(relay);
  return await judged(
    signal,
    async () => {
      const socket = await dialRelay(relay, { signal, proxies, timeoutMs: stepMs, plain: true });
      socket.destroy();
      return ok("relay-connect", `${label}: connected in ${(performance.now() - begin).toFixed(0)} ms`);
    },
    (error) => fail("relay-connect", `${label}: ${error.message}`, adviceFor(relay, local, error)),
  );
}

/** How a relay is called in every line about it. */
export function relayLabel({ host, sharedPort, region }: RelayCandidate): string {
  return `${hostPort(host, sharedPort)} (${region})`;
}

function adviceFor({ host, sharedPort }: RelayCandidate, local: boolean, { code }: RdvError): string {
  if (isLoopbackHost(host) && !local)
    return "the relay calls itself by an address that only its own machine can use: start it with --public-host NAME";
  if (code === "timeout")
    return `something drops packets to port ${sharedPort}: open it in the firewall of this network and of the relay; where only 443 is open, run the relay on it`;
  return `is the relay running, and is port ${sharedPort} open in its firewall? Its operator sees it in \`rdv relays\``;
}
