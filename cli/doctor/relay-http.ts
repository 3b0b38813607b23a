import type { RelayCandidate } from "../../protocol/api.ts";
import { hostPort } from "../../protocol/api.ts";
import { dialRelay } from "../../agent/relay-dial.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import { relayLabel } from "./relay-connect.ts";
import { askRelay } from "./relay-request.ts";
import type { Answer } from "./relay-request.ts";
import type { RelayWay } from "./relay-way.ts";

/** Whether a relay answers HTTP on its shared port, and is ready for halves. */
export async function checkRelayHttp(relay: RelayCandidate, { proxies, signal }: RelayWay): Promise<Finding> {
  const open = async (ends: AbortSignal) => await dialRelay(relay, { signal: ends, proxies });
  const where = hostPort(relay.host, relay.sharedPort);
  return await judged(
    signal,
    async () => judge(relay, await askRelay(open, { path: "/readyz" }, where, signal)),
    (error) => fail("relay-http", `${relayLabel(relay)}: ${error.message}`, silent),
  );
}

const silent =
  "connections are taken but not answered: a firewall that looks into them, or a relay that hangs; its log tells";

function judge(relay: RelayCandidate, { status, problem, ms }: Answer): Finding {
  if (status === 200) return ok("relay-http", `${relayLabel(relay)}: ready, answers in ${ms.toFixed(0)} ms`);
  if (problem)
    return warn(
      "relay-http",
      `${relayLabel(relay)}: not ready: ${problem.detail}`,
      "it takes no sessions at the moment; its operator sees why in its log and in `rdv relays`",
    );
  return fail(
    "relay-http",
    `${relayLabel(relay)}: HTTP status ${status} that is not a relay's`,
    "another program, or a proxy, answers at this address: the relay's --public-host and --port must lead to it",
  );
}
