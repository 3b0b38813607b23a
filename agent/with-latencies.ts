import type { Log } from "../net/log.ts";
import type { CreateSession } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { abortable } from "./abortable.ts";
import { measureRegions } from "./measure-regions.ts";
import type { RouteOptions } from "./relay-route.ts";
import type { AgentApi } from "./session-link.ts";

interface LatencyDeps {
  readonly api: AgentApi;
  readonly request: CreateSession;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly outbound?: RouteOptions | undefined;
}

/** The request with what this machine measured; a control plane that cannot tell its relays chooses by itself. */
export async function withLatencies({
  api,
  request,
  signal,
  log,
  outbound,
}: LatencyDeps): Promise<CreateSession> {
  if (request.region !== undefined || !api.relayCandidates) return request;
  try {
    const candidates = await abortable(api.relayCandidates(), signal);
    const latencies = await measureRegions(
      candidates.slice(0, limits.regionsMeasured * 2),
      signal,
      outbound?.proxies,
    );
    return latencies.length === 0 ? request : { ...request, latencies };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RdvError)) throw error;
    log.info("no relays to measure", { error: error.message });
    return request;
  }
}
