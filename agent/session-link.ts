import type * as z from "zod";
import { createBackoff } from "../net/backoff.ts";
import type { Backoff } from "../net/backoff.ts";
import type { Log } from "../net/log.ts";
import { createSignalLink } from "../net/signal-link.ts";
import type { SignalLink } from "../net/signal-link.ts";
import type { AgentAttach, CreateSession, RelayCandidate, Session } from "../protocol/api.ts";
import type { Proxies } from "../net/proxy/proxies.ts";
import { about } from "../protocol/about.ts";
import { RdvError } from "../protocol/errors.ts";
import { SessionSignal } from "../protocol/signals.ts";
import type { AgentSignal } from "../protocol/signals.ts";
import { endUnused, goodbyeMs } from "./create-session.ts";
import type { SessionApi } from "./create-session.ts";
import { reopenSession } from "./reopen-session.ts";

/** What the agent needs of the control plane's client. */
export interface AgentApi extends SessionApi {
  /** Relays that a new session may get; without it the control plane chooses alone. */
  relayCandidates?(): Promise<RelayCandidate[]>;
  /** Where the agent of a session opens its control connection, and with which token. */
  agentSocket(session: string, attach?: AgentAttach): { readonly url: string; readonly token: string };
}

interface SessionLinkDeps {
  readonly api: AgentApi;
  readonly proxies?: Proxies | undefined;
  readonly request: CreateSession;
  readonly session: Session;
  /** What the control plane is told of this agent with each connection. */
  readonly attach?: AgentAttach;
  readonly log: Log;
  readonly random: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onSignal: (signal: SessionSignal) => void;
  /** The connection is lost, and the first attempt to get it back has failed. */
  readonly onAway: () => void;
  readonly onBack: () => void;
  /** The control plane refuses this agent for good. */
  readonly onFatal: (error: RdvError) => void;
}

/** The agent's control connection, whatever becomes of the session behind it. */
export interface SessionLink extends AsyncDisposable {
  /** The session as last heard of. */
  readonly session: Session;
  readonly connected: boolean;
  /** False when there is no connection; the signal is then dropped. */
  send(signal: AgentSignal): boolean;
  dialNow(): void;
  /** An agent that has not come to the session yet does not come any more: it would take the session from an older one. */
  stayAway(): void;
  /** Ends the session; resolves when the control plane has heard it, or after `goodbyeMs`. */
  sayBye(): Promise<void>;
}

/** Keeps the control connection, and creates the session again when the control plane has given it up meanwhile. */
export function createSessionLink(deps: SessionLinkDeps): SessionLink {
  const stop = new AbortController();
  let session = deps.session;
  let reopening = Promise.resolve();
  let leaving = false;
  /** This agent has come to the session. */
  let attached = false;
  let stayedAway = false;
  let byeHeard = (): void => {};
  let link = open();

  function open(): SignalLink<AgentSignal> {
    const outage = createOutage(createBackoff({ random: deps.random }), (failures) => {
      byeHeard();
      if (failures === 2) deps.onAway();
    });
    return createSignalLink<SessionSignal, AgentSignal>({
      ...deps.api.agentSocket(session.id, deps.attach),
      incoming: signalsOf(session),
      log: deps.log,
      signal: stop.signal,
      proxies: deps.proxies,
      backoff: outage.backoff,
      onOpen: () => {
        attached = true;
        outage.over();
        deps.onBack();
      },
      onSignal,
      onRefused,
    });
  }

  function onSignal(signal: SessionSignal): void {
    // A connection that came back by itself would take the session from the newer agent again.
    if (signal.type === "ended" || signal.type === "replaced") stop.abort();
    if (signal.type === "ended") byeHeard();
    if (signal.type === "placed") session = { ...session, placements: signal.placements };
    if (!leaving) deps.onSignal(signal);
  }

  function onRefused(error: RdvError): "stop" | "retry" {
    if (error.code === "not_found" || error.code === "ended") {
      if (!leaving) reopening = reopen();
      return "stop";
    }
    if (error.code === "replaced") {
      onSignal({ type: "replaced" });
      return "stop";
    }
    // Everything else may be the doing of something in between, or of a control plane that is not ready yet.
    if (error.code !== "unauthorized" && error.code !== "forbidden") return "retry";
    fail(error);
    return "stop";
  }

  function fail(error: RdvError): void {
    stop.abort();
    deps.onFatal(error);
  }

  async function reopen(): Promise<void> {
    deps.log.warn("the control plane does not know the session any more; creating it again", {
      name: session.name,
    });
    try {
      session = await reopenSession(deps.request, session, {
        createSession: (request) => deps.api.createSession(request),
        backoff: createBackoff({ random: deps.random }),
        signal: stop.signal,
        now: deps.now,
      });
      attached = false;
      if (!stop.signal.aborted) link = open();
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!(error instanceof RdvError)) throw error;
      fail(error);
    }
  }

  return {
    get session() {
      return session;
    },
    get connected() {
      return link.connected;
    },
    send: (signal) => link.send(signal),
    dialNow: () => link.dialNow(),
    stayAway() {
      if (attached || stop.signal.aborted) return;
      stayedAway = true;
      stop.abort();
    },
    async sayBye() {
      leaving = true;
      if (!link.send({ type: "bye" })) {
        if (stayedAway || (!attached && !stop.signal.aborted)) await endUnused(deps.api, session);
        return;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      byeHeard = resolve;
      const timer = setTimeout(resolve, goodbyeMs);
      await promise;
      clearTimeout(timer);
    },
    [Symbol.asyncDispose]: async () => {
      leaving = true;
      stop.abort();
      await link[Symbol.asyncDispose]();
      await reopening;
    },
  };
}

/** What the control plane says on the connection of one session is about that one. */
function signalsOf({ id, name }: Session): z.ZodType<SessionSignal> {
  return about(
    SessionSignal,
    name,
    (signal) => signal.type !== "placed" || (signal.session === id && signal.name === name),
  );
}

/** Counts the failures of an outage: the link asks for a delay exactly when it has lost or not got a connection. */
function createOutage(
  inner: Backoff,
  onFailure: (failures: number) => void,
): { backoff: Backoff; over(): void } {
  let failures = 0;
  return {
    backoff: {
      next(atLeastMs) {
        failures += 1;
        onFailure(failures);
        return inner.next(atLeastMs);
      },
      reset: () => inner.reset(),
    },
    over: () => void (failures = 0),
  };
}
