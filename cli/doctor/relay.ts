import { isIP } from "node:net";
import type { RelayCandidate } from "../../protocol/api.ts";
import type { Finding } from "./finding.ts";
import { checkName } from "./names.ts";
import { checkRelayConnect } from "./relay-connect.ts";
import { checkRelayHttp } from "./relay-http.ts";
import { checkRelayTls } from "./relay-tls.ts";
import { checkRelayWays } from "./relay-ways.ts";
import type { RelayWay } from "./relay-way.ts";

type RelayCheck = (relay: RelayCandidate, way: RelayWay) => Promise<Finding>;

/** Looks at one relay, from its name upwards; where one layer does not come through, those above are left out. */
export async function checkRelay(relay: RelayCandidate, way: RelayWay): Promise<Finding[]> {
  const layers: RelayCheck[] = [checkRelayConnect, checkRelayTls, checkRelayHttp];
  if (isIP(relay.host) === 0 && !way.proxied)
    layers.unshift(async ({ host }, { signal }) => await checkName(host, signal));
  const findings: Finding[] = [];
  for (const check of layers) {
    const finding = await check(relay, way);
    findings.push(finding);
    if (finding.status === "fail") return findings;
  }
  return [...findings, ...(await checkRelayWays(relay, way))];
}
