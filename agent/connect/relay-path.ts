import type { Socket } from "node:net";
import type { Identity } from "../../net/tls/certificate.ts";
import { secureAsClient } from "../../net/tls/end-to-end.ts";
import { hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { PairedHead } from "../../protocol/handshake.ts";
import { limits } from "../../protocol/limits.ts";
import type { TicketedPlacement } from "../../protocol/placements.ts";
import type { ProofKey } from "../../protocol/proof.ts";
import { openHalf } from "../half.ts";
import type { HalfFailure } from "../pool.ts";
import { createRelayRoute } from "../relay-route.ts";
import type { RelayRoute, RouteOptions } from "../relay-route.ts";
import type { Approach, OpenPath, OpenedPath } from "./path.ts";

interface RelayPathDeps {
  /** Of this client. */
  readonly identity: Identity;
  /** Halves in plain TCP, whose tickets are bound to this key. */
  readonly proofKey?: ProofKey | undefined;
  /** How this machine gets out; by default directly. */
  readonly outbound?: RouteOptions | undefined;
  /** A relay has this long to take the connection, and again as long to say 100. Default `limits.dialMs`. */
  readonly dialMs?: number;
}

/** The way over a relay: each of the session's relays is tried in turn until one has an agent. */
export function createRelayPath(deps: RelayPathDeps): OpenPath {
  let routes: ReadonlyMap<string, RelayRoute> = new Map();
  // Somebody waits for it, so one blocked half is sign enough.
  const outbound = { ...deps.outbound, patience: 1 };

  /** What was learnt of the way to a relay is kept for as long as the session is there. */
  function keepRoutes(placements: readonly TicketedPlacement[]): void {
    const before = routes;
    routes = new Map(placements.map(({ relay }) => [relay, before.get(relay) ?? createRelayRoute(outbound)]));
  }

  return async (approach, signal) => {
    const { tickets } = approach;
    keepRoutes(tickets.placements);
    let failure: RdvError | undefined;
    for (const placement of tickets.placements) {
      try {
        return await openEitherWay(placement, routes.get(placement.relay), approach, deps, signal);
      } catch (error) {
        if (!(error instanceof RdvError) || error.code === "untrusted") throw error;
        failure = moreTelling(failure, error);
      }
    }
    throw failure ?? new RdvError("no_relay");
  };
}

/** A relay that has no agent says more about the session than one that cannot be reached. */
function moreTelling(before: RdvError | undefined, now: RdvError): RdvError {
  const vague = now.code === "unreachable" || now.code === "timeout";
  return before !== undefined && vague ? before : now;
}

/** What something in between has blocked is tried once more, in the other way. */
async function openEitherWay(...how: Parameters<typeof openAt>): Promise<OpenedPath> {
  const [, route, , , signal] = how;
  try {
    return await openAt(...how);
  } catch (error) {
    if (!route?.turns || signal.aborted) throw error;
    return await openAt(...how);
  }
}

async function openAt(
  placement: TicketedPlacement,
  route: RelayRoute | undefined,
  { agentKey, direct }: Approach,
  deps: RelayPathDeps,
  signal: AbortSignal,
): Promise<OpenedPath> {
  const { identity } = deps;
  const { head, socket, early } = await paired(placement, route, { ...deps, direct }, signal);
  const why = `over the relay at ${hostPort(placement.host, placement.sharedPort)}`;
  const opened = { path: "relay", why, pair: head.pair } as const;
  if (agentKey === null) return { ...opened, socket, early };
  const secured = await secureAsClient(socket, early, { identity, agentKey, signal });
  return { ...opened, socket: secured, early: Buffer.alloc(0) };
}

interface Paired {
  readonly head: PairedHead;
  readonly socket: Socket;
  readonly early: Buffer;
}

/** Waits at the relay for a half of the agent's. The relay ends the wait; the timer is for a relay that is gone. */
async function paired(
  relay: TicketedPlacement,
  route: RelayRoute | undefined,
  { dialMs = limits.dialMs, proofKey, direct }: RelayPathDeps & Pick<Approach, "direct">,
  signal: AbortSignal,
): Promise<Paired> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Paired>();
  const half = openHalf({
    kind: "client",
    relay,
    ...(route === undefined ? {} : { route }),
    dialMs,
    proofKey,
    direct,
    onAccepted: () => {},
    onPaired: (head, socket, early) => resolve({ head, socket, early }),
    onLost: (failure) => reject(failureError(failure)),
  });
  const timer = setTimeout(
    () => reject(new RdvError("timeout", "the relay does not say whether there is an agent")),
    2 * dialMs + limits.clientWaitMs,
  );
  const onAbort = (): void => reject(signal.reason as Error); // abort() without a reason gives an Error, too
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await promise;
  } catch (error) {
    half.close();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

function failureError(failure: HalfFailure): RdvError {
  if (failure.type !== "refused") return new RdvError("unreachable", failure.reason);
  const { code, reason, retryAfterMs } = failure;
  return new RdvError(code, reason, retryAfterMs === undefined ? {} : { retryAfterMs });
}
