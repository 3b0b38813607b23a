import { setTimeout as delay } from "node:timers/promises";
import { createBackoff } from "../../net/backoff.ts";
import type { Log } from "../../net/log.ts";
import type { ClientTickets } from "../../protocol/connect.ts";
import { RdvError, errorRules } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { OpenPath, OpenedPath } from "./path.ts";
import type { TicketSource } from "./ticket-source.ts";
import type { Trust } from "./trust.ts";

interface ConnectorDeps {
  readonly source: TicketSource;
  /** Undefined: nothing is encrypted from end to end. */
  readonly trust: Trust | undefined;
  readonly openPath: OpenPath;
  readonly log: Log;
  /** A connection is tried again for this long. */
  readonly patienceMs?: number;
  readonly random?: () => number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** Opens connections to one session's agent. */
export interface Connector {
  /** Throws RdvError when it is in vain, or the reason of `signal`. */
  open(signal: AbortSignal): Promise<OpenedPath>;
}

/** Somebody waits for it: a restart is worth waiting for, an outage is not. */
const defaultPatienceMs = 10_000;

/** Makes a connector that tries again what may get better by itself or by new tickets. */
export function createConnector(deps: ConnectorDeps): Connector {
  const { source, trust, log, patienceMs = defaultPatienceMs, now = () => performance.now() } = deps;

  async function attempt(tickets: ClientTickets, signal: AbortSignal): Promise<OpenedPath> {
    const agentKey = trust?.expected(tickets) ?? null;
    // Its agent would only reset what does not begin with a handshake.
    if (trust === undefined && tickets.agentKey !== null)
      throw new RdvError(
        "unsupported",
        `the agent of ${tickets.name} encrypts from end to end: leave out --plain`,
      );
    const opened = await deps.openPath({ tickets, agentKey }, signal);
    if (agentKey !== null) trust?.proven(agentKey);
    log.info("connected", { path: opened.path, pair: opened.pair, why: opened.why });
    return opened;
  }

  async function open(signal: AbortSignal): Promise<OpenedPath> {
    const backoff = createBackoff(deps.random === undefined ? {} : { random: deps.random });
    const until = now() + patienceMs;
    let tickets = await source.current(signal);
    let renewals = 0;
    for (;;) {
      try {
        return await attempt(tickets, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RdvError)) throw error;
        const next = await source.renewed(tickets, signal);
        if (!mayCure(error.code, tickets, next, renewals) || now() >= until) throw error;
        renewals += 1;
        log.info("no connection yet; trying again", { error: error.message });
        tickets = next;
      }
      await delay(backoff.next(), undefined, { signal });
    }
  }

  return { open };
}

function mayCure(code: ErrorCode, old: ClientTickets, next: ClientTickets, renewals: number): boolean {
  if (code === "untrusted" || code === "unsupported") return next.agentKey !== old.agentKey;
  if (stale.has(code)) return next !== old && renewals === 0;
  return errorRules[code].retry;
}

/** What new tickets may cure, and nothing else does. */
const stale: ReadonlySet<ErrorCode> = new Set([
  "ticket_expired",
  "ticket_invalid",
  "wrong_relay",
  "proof_invalid",
  "replaced",
  "ended",
]);
