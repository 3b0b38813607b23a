import type { RelayCandidate } from "../../protocol/api.ts";
import type { Finding } from "./finding.ts";
import { checkRelayConnect } from "./relay-connect.ts";
import { checkRelayHttp } from "./relay-http.ts";
import { checkRelayTls } from "./relay-tls.ts";
import { checkRelayWays } from "./relay-ways.ts";
import type { RelayWay } from "./relay-way.ts";

/** Looks at one relay, from the connection upwards; where one layer does not come through, those above are left out. */
export async function checkRelay(relay: RelayCandidate, way: RelayWay): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of [checkRelayConnect, checkRelayTls, checkRelayHttp]) {
    const finding = await check(relay, way);
    findings.push(finding);
    if (finding.status === "fail") return findings;
  }
  return [...findings, ...(await checkRelayWays(relay, way))];
}
