import type { Log } from "../net/log.ts";
import type { Pump } from "../net/pump.ts";
import type { Identity } from "../net/tls/certificate.ts";
import { createLivePairs } from "./live-pairs.ts";
import type { PairEvent } from "./live-pairs.ts";
import type { PoolPlacement } from "./pool.ts";
import type { RouteOptions } from "./relay-route.ts";
import { createPresence } from "./presence.ts";
import type { PresenceEvent } from "./presence.ts";
import { createAdmission } from "./secure/admission.ts";
import { createTargetDial } from "./target-dial.ts";
import { createTargetWatch } from "./target-watch.ts";
import type { Target } from "./target.ts";
import { createWarmPool } from "./warm-pool.ts";

/** How an invited machine's service ended. */
export type InvitedEnd =
  /** The inviter ended the session, or its time is over. */
  | "ended"
  /** Another run on the same machine took over. */
  | "replaced"
  | "aborted";

export type InvitedEvent = { readonly type: "ready" } | PairEvent | PresenceEvent;

export interface InvitedDeps {
  /** What the code was exchanged for. */
  readonly admission: {
    readonly relay: string;
    readonly port: number;
    /** The relay's key; null: it is dialled in plain TCP. */
    readonly tls: string | null;
    readonly ticket: string;
    /** Seconds since 1970: when the invitation ends. */
    readonly expires: number;
    readonly pool: number;
  };
  /** The session's name, for events. */
  readonly session: string;
  /** The only address that is dialled. */
  readonly target: Target;
  /** Named in the claim: with it encryption from end to end is ended here. */
  readonly identity: Identity;
  /** Nobody comes in but the inviter, with a ticket. */
  readonly onlyTicketed: boolean;
  /** Fingerprints of the only clients' keys that are let in; by default clients may have any. */
  readonly clients?: readonly string[] | undefined;
  readonly pump: Pump;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How this machine gets out; by default directly. */
  readonly outbound?: RouteOptions | undefined;
  readonly onEvent: (event: InvitedEvent) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Serves an invitation until it is over: no account, no control connection, nothing but a ticket for one session.
 * When it is over every connection is cut.
 */
export async function serveInvited(deps: InvitedDeps): Promise<InvitedEnd> {
  const { admission, target, log, onEvent, signal, now = Date.now } = deps;
  const { promise, resolve } = Promise.withResolvers<InvitedEnd>();
  const watch = createTargetWatch(
    target.label,
    "clients are turned away; check that the service runs there",
    log,
  );
  const pairs = createLivePairs({
    admission: createAdmission(deps),
    dial: createTargetDial(target, watch),
    pump: deps.pump,
    onEvent,
    log,
  });
  const presence = createPresence(onEvent);
  let ready = false;
  const pool = createWarmPool({
    size: admission.pool,
    once: false,
    outbound: { log, ...deps.outbound },
    onUp: () => {
      if (!ready) onEvent({ type: "ready" });
      ready = true;
      presence.back("relay");
    },
    onDown: (reason) => presence.away("relay", reason),
    // The ticket lives as long as the invitation, and nobody renews it.
    onRenew: () => resolve("ended"),
    onReport: (code) => log.warn("the relay refuses this machine; trying again", { code }),
    onStop: resolve,
    onPaired: (head, socket, early) => void pairs.serve(deps.session, head, socket, early),
  });
  const timer = setTimeout(() => resolve("ended"), Math.max(0, admission.expires * 1_000 - now()));
  const onAbort = (): void => resolve("aborted");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  pool.placed(placementOf(admission));
  const end = await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
  pool[Symbol.dispose]();
  await pairs.finish(0);
  return end;
}

/** The pool's view of the one place there is; it dials host and shared port, the rest tells placements apart. */
function placementOf({ relay, port, tls, ticket, expires }: InvitedDeps["admission"]): PoolPlacement {
  return {
    relay: "invited",
    region: "invited",
    host: relay,
    sharedPort: port,
    clientPort: port,
    tls,
    ticket,
    ticketExpires: expires,
    epoch: 1,
  };
}
