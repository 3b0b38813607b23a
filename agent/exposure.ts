import type { Socket } from "node:net";
import type { Log } from "../net/log.ts";
import type { Identity } from "../net/tls/certificate.ts";
import type { Pump } from "../net/pump.ts";
import { addressOn } from "../protocol/api.ts";
import type { CreateSession, Session } from "../protocol/api.ts";
import type { PairedHead } from "../protocol/handshake.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { TicketedPlacement } from "../protocol/placements.ts";
import type { ProofKey } from "../protocol/proof.ts";
import type { SessionSignal } from "../protocol/signals.ts";
import type { PoolPlacement } from "./pool.ts";
import { createSession } from "./create-session.ts";
import { createDirectAnswers } from "./direct/answer-offers.ts";
import { askPlaces } from "./direct/ask-places.ts";
import type { DirectConnection } from "./direct/prove.ts";
import { isBehindProxy } from "./behind-proxy.ts";
import { isListening } from "./listening.ts";
import { createLivePairs } from "./live-pairs.ts";
import type { PairEvent } from "./live-pairs.ts";
import { createPools } from "./pools.ts";
import { createPresence } from "./presence.ts";
import type { PresenceEvent } from "./presence.ts";
import type { RouteOptions } from "./relay-route.ts";
import { createAdmission } from "./secure/admission.ts";
import { createSessionLink } from "./session-link.ts";
import type { AgentApi } from "./session-link.ts";
import { createTargetDial } from "./target-dial.ts";
import { createTargetWatch } from "./target-watch.ts";
import type { Target } from "./target.ts";
import { withLatencies } from "./with-latencies.ts";

export interface ExposureDeps {
  readonly api: AgentApi;
  /** The session to create, or to resume by its name. */
  readonly request: CreateSession;
  /** The only address that is dialled for clients. */
  readonly target: Target;
  /** With which encryption from end to end is ended here; without it clients with a ticket come in as they are. */
  readonly identity?: Identity | undefined;
  /** Fingerprints of the only clients' keys that are let in with a ticket; by default clients may have any. */
  readonly clients?: readonly string[] | undefined;
  /** The key with which clients are met without relay; by default nobody is. */
  readonly directKey?: Identity | undefined;
  /** Halves to keep waiting at each relay. */
  readonly pool: number;
  readonly pump: Pump;
  readonly log: Log;
  /** Aborting ends the exposure as disposing does; `done` then says `aborted`. */
  readonly signal: AbortSignal;
  /** Halves come in plain TCP and prove with this key that their tickets are this agent's; else in TLS where the relay takes it. */
  readonly proofKey?: ProofKey | undefined;
  /** How this machine gets out; by default directly. */
  readonly outbound?: RouteOptions | undefined;
  readonly onEvent: (event: ExposureEvent) => void;
  /** Live pairs may go on for this long when the exposure is disposed of; by default they are cut at once. */
  readonly finishMs?: number;
  readonly renewMs?: number;
  readonly random?: () => number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export type ExposureEvent =
  /** Clients can come to each of `addresses`, of which `address` is the first: said first, and again when they change. */
  | {
      readonly type: "ready";
      readonly session: string;
      readonly name: string;
      /** `host:port`; of a private session its name, with the agent's key behind `#`. */
      readonly address: string;
      readonly addresses: readonly string[];
      /** The address that this takes the place of: who dials it finds nobody soon. */
      readonly moved?: string;
      readonly epoch: number;
    }
  | PairEvent
  | PresenceEvent
  | { readonly type: "replaced" }
  | { readonly type: "ended"; readonly reason: string };

/** Why an exposure is over. */
type ExposureEnd = "once" | "replaced" | "ended" | "aborted";

/** A service that is being made reachable. Disposing says goodbye, which ends the session and frees its port. */
export interface Exposure extends AsyncDisposable {
  /** Resolves when nothing is left to serve; live pairs of a replaced agent are finished first. Never rejects. */
  readonly done: Promise<ExposureEnd>;
  readonly session: Session;
  /** Halves that wait at the relays, and pairs that live. */
  counts(): { readonly waiting: number; readonly open: number; readonly pairs: number };
}

/** Makes the target reachable. Throws what the control plane says when it does not give a session. */
export async function createExposure(deps: ExposureDeps): Promise<Exposure> {
  deps.signal.throwIfAborted();
  const request = await withLatencies(deps);
  const session = await createSession(deps.api, request, deps.signal);
  return startExposure(session, { ...deps, request });
}

/** A private session is reached by its name, and with the key of its agent nobody can pass for it. */
function keyedAddress(placement: TicketedPlacement, name: string, identity: Identity | undefined): string {
  const address = addressOn(placement, name);
  return placement.clientPort === null && identity ? `${name}#${identity.fingerprint}` : address;
}

const targetAdvice = "clients are turned away; check that the service runs and listens there";

function startExposure(created: Session, deps: ExposureDeps): Exposure {
  const { random = Math.random, now = Date.now, log } = deps;
  const once = deps.request.once ?? false;
  const done = Promise.withResolvers<ExposureEnd>();
  const watch = createTargetWatch(deps.target.label, targetAdvice, log);
  const dial = createTargetDial(deps.target, watch);
  const presence = createPresence(tell);
  const { identity, clients } = deps;
  const admission = createAdmission({
    identity,
    clients,
    onlyTicketed: deps.request.private ?? false,
    log,
  });
  const pairs = createLivePairs({ dial, pump: deps.pump, onEvent: tell, admission, log });
  let told = { session: "", addresses: [] as readonly string[] };
  let taken = false;
  let ending: ExposureEnd | undefined;
  let closing: Promise<void> | undefined;

  const pools = createPools({
    size: deps.pool,
    once,
    random,
    outbound: { log, ...deps.outbound },
    proofKey: deps.proofKey,
    onUp,
    onPaired: (head, socket, early) => serve(head, socket, early),
    onDown: (relay, reason) => presence.away(relay, reason),
    onUnreachable: (relay) => void link.send({ type: "lost", relay }),
    onLeft: (relay) => presence.back(relay),
    onRenew: () => void link.send({ type: "renew" }),
    onReport: (code, { relay, clientPort }) => {
      log.warn("the relay refuses this agent; telling the control plane", { relay, code });
      link.send({ type: "refused", relay, clientPort, code });
    },
    onStop: (relay, reason) => {
      if (reason === "replaced") return end("replaced", { type: "replaced" });
      log.info("the relay says that the session has ended", { relay });
      // The control plane decides: it sends `ended`, unless the agent was away so long that it must create it again.
      if (!link.connected) presence.away(relay, "the relay says that the session has ended");
      link.dialNow();
    },
  });

  const link = createSessionLink({
    api: deps.api,
    proxies: deps.outbound?.proxies,
    request: deps.request,
    session: created,
    attach: {
      ...(deps.proofKey ? { proof: deps.proofKey.thumbprint } : {}),
      ...(identity ? { identity: identity.fingerprint } : {}),
    },
    log,
    random,
    now,
    onSignal,
    onAway: () => presence.away("control", "the control plane is away; clients are still served"),
    onBack: () => presence.back("control"),
    onFatal: (error) => end("ended", { type: "ended", reason: error.message }),
  });
  const direct = createDirectAnswers({
    identity: deps.directKey,
    clients,
    plain: identity === undefined,
    places: () => askPlaces(link.session.placements, deps.api.agentSocket(link.session.id).url),
    onAnswer: (offer, answer) => void link.send({ type: "direct", offer, answer }),
    onOutcome: (offer, outcome) => void link.send({ type: "path", offer, outcome }),
    onClient: serveDirect,
    log,
    random,
  });
  const renewal = setInterval(() => link.send({ type: "renew" }), deps.renewMs ?? limits.ticketRenewMs);
  // A wrong port is noticed before the first client comes.
  const check = isListening(deps.target).then((listening) => {
    if (listening === false) watch.refused(new RdvError("unreachable", "nothing seems to listen there"));
  });
  const onAbort = (): void => void close();
  deps.signal.addEventListener("abort", onAbort, { once: true });
  if (deps.signal.aborted) onAbort();

  /** An exposure that is over tells of its pairs and of nothing else. */
  function tell(event: ExposureEvent): void {
    if (ending === undefined || event.type === "closed") deps.onEvent(event);
  }

  function meet({ offer, from }: SessionSignal & { type: "direct" }): void {
    if (!isBehindProxy(link.session.placements, deps.outbound?.proxies)) return direct.offer(from);
    link.send({ type: "direct", offer, answer: { type: "no", reason: "off" } });
  }

  function onSignal(signal: SessionSignal): void {
    switch (signal.type) {
      case "placed":
        return pools.placed(signal);
      case "dial":
        return pools.dial(signal.relay, signal.withinMs);
      case "check":
        return pools.check(signal.relay);
      case "direct":
        return meet(signal);
      case "replaced":
        return end("replaced", { type: "replaced" });
      case "ended":
        return end("ended", { type: "ended", reason: signal.reason });
      case "pong":
    }
  }

  function onUp({ relay, epoch }: PoolPlacement, placements: readonly TicketedPlacement[]): void {
    link.send({ type: "up", relay });
    const { id: session, name } = link.session;
    const addresses = [...new Set(placements.map((placement) => keyedAddress(placement, name, identity)))];
    const gone =
      told.session === session ? told.addresses.find((one) => !addresses.includes(one)) : undefined;
    const isNews = told.session !== session || told.addresses.join() !== addresses.join();
    told = { session, addresses };
    const [address = ""] = addresses;
    const moved = gone === undefined ? {} : { moved: gone };
    if (isNews) tell({ type: "ready", session, name, address, addresses, ...moved, epoch });
    presence.back(relay);
  }

  function serveDirect({ socket, peer: client }: DirectConnection, pair: string): void {
    const { id, policy } = link.session;
    if (once || ending !== undefined || pairs.size >= policy.pairs) return void socket.destroy();
    const head = { pair, client, demand: 0, ticketed: true };
    void pairs.serve(id, head, socket, Buffer.alloc(0), "direct");
  }

  /** Not async: a suspended function would keep the client's socket object for as long as the pair lives. */
  function serve(head: PairedHead, socket: Socket, early: Buffer): void {
    if (once) {
      taken = true;
      pools[Symbol.dispose]();
    }
    const served = pairs.serve(link.session.id, head, socket, early);
    if (once) void served.then(() => end("once"));
  }

  function end(how: ExposureEnd, event?: ExposureEvent): void {
    // With `once`, relay and control plane may end the session while its only pair still lives.
    if (ending !== undefined || (taken && event !== undefined)) return;
    if (event !== undefined) tell(event);
    ending = how;
    pools[Symbol.dispose]();
    if (how !== "once") void link[Symbol.asyncDispose]();
    void direct[Symbol.asyncDispose]();
    const over = how === "replaced" ? pairs.finish(Infinity) : pairs.finish(0);
    void over.then(() => done.resolve(how));
  }

  function close(): Promise<void> {
    closing ??= closeNow();
    return closing;
  }

  async function closeNow(): Promise<void> {
    ending ??= "aborted";
    link.stayAway();
    deps.signal.removeEventListener("abort", onAbort);
    clearInterval(renewal);
    pools[Symbol.dispose]();
    await Promise.all([direct[Symbol.asyncDispose](), pairs.finish(deps.finishMs ?? 0), check]);
    await link.sayBye();
    await link[Symbol.asyncDispose]();
    done.resolve(ending);
  }

  return {
    done: done.promise,
    get session() {
      return link.session;
    },
    counts: () => ({ waiting: pools.waiting, open: pools.open, pairs: pairs.size }),
    [Symbol.asyncDispose]: close,
  };
}
