import type { RelayCandidate } from "../../protocol/api.ts";
import { halfPaths, upgradeToken } from "../../protocol/handshake.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import { relayLabel } from "./relay-connect.ts";
import { askRelay } from "./relay-request.ts";
import type { Answer } from "./relay-request.ts";

/**
 * Whether the upgrade of a half comes through. A half without ticket is refused by the relay itself with 401, but only
 * after it has seen the upgrade: every other answer is somebody's on the way.
 */
export async function checkRelayUpgrade(relay: RelayCandidate, signal: AbortSignal): Promise<Finding> {
  const headers = { connection: "Upgrade", upgrade: upgradeToken };
  return await judged(
    signal,
    async () => judge(relay, await askRelay(relay, halfPaths.agent, headers, signal)),
    (error) => fail("relay-upgrade", `${relayLabel(relay)}: ${error.message}`, somebody),
  );
}

function judge(relay: RelayCandidate, { status, problem, ms }: Answer): Finding {
  const code = problem?.code;
  if (code === "unauthorized" || code === "ticket_invalid")
    return ok("relay-upgrade", `${relayLabel(relay)}: upgrades come through (${ms.toFixed(0)} ms)`);
  if (code === "upgrade_required")
    return fail(
      "relay-upgrade",
      `${relayLabel(relay)}: HTTP ${status}: the request came through without its Upgrade`,
      somebody,
    );
  if (problem && status !== 404)
    return warn(
      "relay-upgrade",
      `${relayLabel(relay)}: ${problem.detail}`,
      "the relay takes no halves at the moment; its operator sees why in its log",
    );
  return fail("relay-upgrade", `${relayLabel(relay)}: HTTP ${status} that is not a relay's`, somebody);
}

const somebody =
  "a proxy or firewall on the way does not pass upgrades on: let it pass `Connection: Upgrade` and HTTP/1.1, or let this machine reach the relay without it";

/** The same finding where another way through is open: then it does not keep anything from working. */
export function softened(finding: Finding): Finding {
  if (finding.status !== "fail") return finding;
  return {
    ...finding,
    status: "warn",
    advice: `connections take the way through WebSocket by themselves. ${finding.advice ?? ""}`,
  };
}
