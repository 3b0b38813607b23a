import type { RelayCandidate } from "../../protocol/api.ts";
import { hostPort } from "../../protocol/api.ts";
import { dialRelay } from "../../agent/relay-dial.ts";
import { openWebSocketStream } from "../../net/web-socket-dial.ts";
import { webSocketPath } from "../../protocol/handshake.ts";
import { stepMs } from "./bounded.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import { relayLabel } from "./relay-connect.ts";
import { askRelay, ticketless } from "./relay-request.ts";
import type { Answer, OpenSocket } from "./relay-request.ts";
import type { RelayWay } from "./relay-way.ts";

/**
 * Whether a half comes through, as it is and inside a WebSocket. A half without ticket is refused by the relay itself
 * with 401, but only after it has seen the upgrade: every other answer is somebody's on the way. One of the two ways
 * is enough, because halves find it by themselves.
 */
export async function checkRelayWays(
  relay: RelayCandidate,
  { proxies, signal }: RelayWay,
): Promise<Finding[]> {
  const where = hostPort(relay.host, relay.sharedPort);
  const open: OpenSocket = async (ends) => await dialRelay(relay, { signal: ends, proxies });
  const openInside: OpenSocket = async (ends) =>
    await openWebSocketStream(await open(ends), {
      where,
      path: webSocketPath,
      signal: ends,
      timeoutMs: stepMs,
    });
  const upgrade = await checkWay("relay-upgrade", relay, open, signal);
  const inside = await checkWay("relay-websocket", relay, openInside, signal);
  if (inside.status === "ok") return [softened(upgrade, roundabout), inside];
  return [upgrade, upgrade.status === "ok" ? softened(inside, unneeded) : inside];
}

type WayName = "relay-upgrade" | "relay-websocket";

async function checkWay(
  name: WayName,
  relay: RelayCandidate,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<Finding> {
  const where = hostPort(relay.host, relay.sharedPort);
  return await judged(
    signal,
    async () => judge(name, relay, await askRelay(open, ticketless, where, signal)),
    (error) => fail(name, `${relayLabel(relay)}: ${error.message}`, adviceFor[name]),
  );
}

function judge(name: WayName, relay: RelayCandidate, { status, problem, ms }: Answer): Finding {
  const label = relayLabel(relay);
  const code = problem?.code;
  if (code === "unauthorized" || code === "ticket_invalid")
    return ok(name, `${label}: halves come through (${ms.toFixed(0)} ms)`);
  if (code === "upgrade_required")
    return fail(
      name,
      `${label}: HTTP ${status}: the request came through without its Upgrade`,
      adviceFor[name],
    );
  if (problem && status !== 404)
    return warn(
      name,
      `${label}: ${problem.detail}`,
      "the relay takes no halves at the moment; its operator sees why in its log",
    );
  return fail(name, `${label}: HTTP ${status} that is not a relay's`, adviceFor[name]);
}

const adviceFor: Readonly<Record<WayName, string>> = {
  "relay-upgrade":
    "a proxy or firewall on the way does not pass upgrades on: let it pass `Connection: Upgrade` and HTTP/1.1, or let this machine reach the relay without it",
  "relay-websocket":
    "WebSockets do not come through to the relay: let the proxy or firewall on the way pass them on",
};

const roundabout = "halves go inside a WebSocket by themselves, with more processor time a byte.";
const unneeded = "nothing needs it as long as halves come through as they are.";

/** The same finding where another way is open: then it keeps nothing from working. */
function softened(finding: Finding, why: string): Finding {
  if (finding.status !== "fail") return finding;
  return { ...finding, status: "warn", advice: `${why} ${finding.advice ?? ""}` };
}
