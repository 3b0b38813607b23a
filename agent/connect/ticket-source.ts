import type { Log } from "../../net/log.ts";
import type { ClientTickets, RequestTickets } from "../../protocol/connect.ts";
import { RdvError, errorRules } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { abortable } from "../abortable.ts";

interface TicketSourceDeps {
  readonly api: { requestTickets(idOrName: string, request?: RequestTickets): Promise<ClientTickets> };
  /** Name or id. */
  readonly session: string;
  readonly request: RequestTickets;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly renewMs?: number;
}

/** Tickets of one session that are always fresh; while the control plane is away, those at hand serve until they expire. */
export interface TicketSource extends Disposable {
  /** Throws what the control plane says when it gives none. */
  current(signal: AbortSignal): Promise<ClientTickets>;
  /** Newer ones than `old`, with which nobody was reached; the same when the control plane is away. */
  renewed(old: ClientTickets, signal: AbortSignal): Promise<ClientTickets>;
}

/** Answers that young are not asked for again, however many connections fail at once. */
const youngMs = 500;

export function createTicketSource(deps: TicketSourceDeps): TicketSource {
  const { now = Date.now, renewMs = limits.ticketRenewMs, log } = deps;
  let held: { readonly tickets: ClientTickets; readonly at: number } | undefined;
  let asking: Promise<ClientTickets> | undefined;

  function alive(): ClientTickets | undefined {
    const expired = held?.tickets.placements.every(({ ticketExpires }) => ticketExpires * 1_000 <= now());
    return expired === false ? held?.tickets : undefined;
  }

  function ask(): Promise<ClientTickets> {
    asking ??= askNow().finally(() => (asking = undefined));
    return asking;
  }

  async function askNow(): Promise<ClientTickets> {
    try {
      const tickets = await deps.api.requestTickets(deps.session, deps.request);
      held = { tickets, at: now() };
      return tickets;
    } catch (error) {
      const old = alive();
      if (!(error instanceof RdvError) || !errorRules[error.code].retry || old === undefined) throw error;
      log.info("the control plane is away; the tickets at hand go on", { error: error.message });
      return old;
    }
  }

  async function current(signal: AbortSignal): Promise<ClientTickets> {
    const old = alive();
    const fresh = held !== undefined && now() - held.at < renewMs;
    return old !== undefined && fresh ? old : await abortable(ask(), signal);
  }

  const timer = setInterval(() => {
    ask().catch((error: unknown) => log.info("no new tickets", { error: String(error) }));
  }, renewMs);
  timer.unref();
  return {
    current,
    async renewed(old, signal) {
      const young = held !== undefined && held.tickets !== old && now() - held.at < youngMs;
      return young ? await current(signal) : await abortable(ask(), signal);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
