import { parseTarget } from "../../agent/target.ts";
import type { Target } from "../../agent/target.ts";
import { readIdentity } from "../../net/tls/load-identity.ts";
import type { Api } from "../../protocol/client.ts";
import { RdvError } from "../../protocol/errors.ts";
import { identityPath } from "../open-client.ts";

/** Looking at more of them would take long, and one of a kind says enough. */
const most = 8;

/** Services that agents of this machine expose now: those of live sessions whose agent has the key of this state directory. */
export async function ownTargets(api: Pick<Api, "listSessions">, stateDir: string): Promise<Target[]> {
  try {
    const own = readIdentity(identityPath(stateDir))?.fingerprint;
    if (own === undefined) return [];
    const sessions = await api.listSessions();
    const mine = sessions.filter(({ state, agentKey }) => state === "live" && agentKey === own);
    return [...new Set(mine.map(({ target }) => target))].slice(0, most).map(parseTarget);
  } catch (error) {
    if (error instanceof RdvError) return [];
    throw error;
  }
}
