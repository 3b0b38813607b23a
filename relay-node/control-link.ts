import type { JSONWebKeySet } from "jose";
import type { Log } from "../net/log.ts";
import { createSignalLink } from "../net/signal-link.ts";
import type { RelayLoad } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { LinkSignal, sessionsInSignal } from "../protocol/signals.ts";
import type { EndedKey, EndedSession, OpenSession, RelaySignal } from "../protocol/signals.ts";

interface ControlLinkOptions {
  readonly relay: string;
  /** The control plane's base URL, and the relay's token there. */
  readonly control: { readonly url: string; readonly token: string };
  readonly hello: Extract<RelaySignal, { type: "hello" }>;
  readonly load: () => RelayLoad;
  /** Invited machines that are there, for a control plane that is back. */
  readonly present: () => readonly RelaySignal[];
  /** What can be reached here, so that the control plane can compare. */
  readonly open: () => readonly OpenSession[];
  readonly onLeave: (session: string) => void;
  readonly onKeys: (jwks: JSONWebKeySet) => void;
  readonly onEnded: (ended: readonly EndedSession[]) => void;
  /** A key is no more. */
  readonly onKeyEnded: (ended: EndedKey) => void;
  /** A ticket with a session's newer policy. */
  readonly onPolicy: (ticket: string) => void;
  /** A ticket that opens a raw port. */
  readonly onRaw: (ticket: string) => void;
  /** The relay can work without ever hearing from the control plane, so a refusal is no reason to stop. */
  readonly hasKeys: () => boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The relay's connection to its object at the control plane. */
export interface ControlLink extends AsyncDisposable {
  /** Resolves at the first welcome; rejects when the control plane refuses this relay before that. */
  readonly welcomed: Promise<void>;
  /** Resolves when the operator has taken this relay out of the fleet; the link is then over. */
  readonly removed: Promise<void>;
  /** Tells the control plane, if it is there; `present` says it again when it is back. */
  tell(signal: RelaySignal): void;
}

/** Says hello on every connection and reports the load with each heartbeat; obeys what comes back. */
export function createControlLink(options: ControlLinkOptions): ControlLink {
  const { relay, control, log } = options;
  const { promise: welcomed, resolve, reject } = Promise.withResolvers<void>();
  welcomed.catch(() => {}); // whoever waits for it sees the refusal
  const removed = Promise.withResolvers<void>();
  const stop = new AbortController();
  const link = createSignalLink<LinkSignal, RelaySignal>({
    url: `${control.url.replace(/\/+$/, "")}/v1/relays/${relay}/link`,
    token: control.token,
    incoming: LinkSignal,
    log,
    signal: AbortSignal.any([options.signal, stop.signal]),
    onOpen(send) {
      send(options.hello);
      send({ type: "load", load: options.load() });
    },
    onSignal(signal) {
      switch (signal.type) {
        case "end":
          return options.onEnded([signal.ended]);
        case "key_ended":
          return options.onKeyEnded(signal.ended);
        case "leave":
          return options.onLeave(signal.session);
        case "removed":
          log.warn("the operator has taken this relay out of the fleet");
          stop.abort();
          return removed.resolve();
        case "refused":
          return void refused(new RdvError("forbidden", signal.detail));
        case "policy":
          return options.onPolicy(signal.ticket);
        case "raw":
          return options.onRaw(signal.ticket);
        case "keys":
          return options.onKeys(signal.jwks);
        case "welcome":
          return obeyWelcome(signal);
        case "pong":
      }
    },
    onRefused: (error) => (refused(error) ? "stop" : "retry"),
  });

  /** Without keys there is nothing to do but to stop; with them its sessions go on, and the operator may change his mind. */
  function refused(error: RdvError): boolean {
    log.error("control plane refuses this relay", { error: error.message });
    if (options.hasKeys()) return false;
    reject(error);
    stop.abort();
    return true;
  }

  function obeyWelcome(signal: Extract<LinkSignal, { type: "welcome" }>): void {
    options.onKeys(signal.jwks);
    options.onEnded(signal.ended);
    const open = options.open();
    for (let first = 0; first < open.length; first += sessionsInSignal)
      link.send({ type: "sessions", sessions: open.slice(first, first + sessionsInSignal) });
    for (const one of options.present()) link.send(one);
    resolve();
  }

  const timer = setInterval(() => link.send({ type: "load", load: options.load() }), limits.heartbeatMs);
  return {
    welcomed,
    removed: removed.promise,
    tell: (signal) => void link.send(signal),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await link[Symbol.asyncDispose]();
    },
  };
}
