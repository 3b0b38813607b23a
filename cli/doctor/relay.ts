import type { RelayCandidate } from "../../protocol/api.ts";
import type { Finding } from "./finding.ts";
import { checkRelayConnect } from "./relay-connect.ts";
import { checkRelayHttp } from "./relay-http.ts";
import { checkRelayTls } from "./relay-tls.ts";
import { checkRelayUpgrade } from "./relay-upgrade.ts";

interface RelayDeps {
  /** The control plane is on this machine, so its relays may be so too. */
  readonly local: boolean;
  readonly signal: AbortSignal;
}

/** Looks at one relay, from the connection upwards; where one layer does not come through, those above are left out. */
export async function checkRelay(relay: RelayCandidate, { local, signal }: RelayDeps): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of [
    async () => await checkRelayConnect(relay, local, signal),
    async () => await checkRelayTls(relay, signal),
    async () => await checkRelayHttp(relay, signal),
    async () => await checkRelayUpgrade(relay, signal),
  ]) {
    const finding = await check();
    findings.push(finding);
    if (finding.status === "fail") break;
  }
  return findings;
}
