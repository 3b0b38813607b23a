import type { RelayCandidate } from "../../protocol/api.ts";
import type { Api } from "../../protocol/client.ts";
import { RdvError } from "../../protocol/errors.ts";
import { bounded } from "./bounded.ts";
import { fail, ok, skip } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** The relays that a new session could get, and what is to be said of them together. */
export async function findRelays(
  api: Pick<Api, "relayCandidates">,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly relays: readonly RelayCandidate[] }> {
  try {
    const relays = await bounded(signal, async () => await api.relayCandidates());
    return { finding: judge(relays), relays };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RdvError)) throw error;
    return { finding: refused(error), relays: [] };
  }
}

function judge(relays: readonly RelayCandidate[]): Finding {
  const regions = [...new Set(relays.map(({ region }) => region))];
  if (relays.length > 0)
    return ok("relays", `${relays.length} of region${regions.length === 1 ? "" : "s"} ${regions.join(", ")}`);
  return fail(
    "relays",
    "none that takes sessions",
    "start one with `rdv relay`, or see with `rdv relays` why those that there are take none",
  );
}

function refused({ code, message }: RdvError): Finding {
  if (code === "forbidden") return skip("relays", "the token may not ask for relays");
  return fail(
    "relays",
    message,
    "the control plane answers but cannot name its relays: try again, then ask its operator",
  );
}
