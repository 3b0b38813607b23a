import { limits } from "../../protocol/limits.ts";
import { connectionBudget } from "../../relay-node/descriptors.ts";
import { ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** A pair has two sockets in an agent or a relay. */
const wanted = 2 * limits.pairsPerSession;

/** Whether the descriptors of a process are enough for one full session. `limit` is that of an rdv process. */
export function checkDescriptors(limit: number): Finding {
  const connections = connectionBudget(limit);
  const detail = `${limit} a process, so ${Math.floor(connections / 2)} connections of clients at once`;
  if (connections >= wanted) return ok("descriptors", detail);
  return warn(
    "descriptors",
    detail,
    `one session carries up to ${limits.pairsPerSession}: raise the limit with \`ulimit -n 4096\`, or LimitNOFILE= in a systemd unit`,
  );
}
