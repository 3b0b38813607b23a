import { setTimeout as delay } from "node:timers/promises";
import type { Backoff } from "../net/backoff.ts";
import type { CreateSession, Session } from "../protocol/api.ts";
import { RdvError, errorRules } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { abortable } from "./abortable.ts";

interface ReopenDeps {
  readonly createSession: (request: CreateSession) => Promise<Session>;
  readonly backoff: Backoff;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Creates a session again that the control plane has given up, with its old name and, as a wish, its old port.
 * Tries for ever while the control plane is away; throws when it refuses for good, or `ended` when its time is over.
 */
export async function reopenSession(
  request: CreateSession,
  old: Session,
  deps: ReopenDeps,
): Promise<Session> {
  let wish = again(request, old, deps.now());
  for (;;) {
    try {
      return await abortable(deps.createSession(wish), deps.signal);
    } catch (error) {
      deps.signal.throwIfAborted();
      if (!(error instanceof RdvError)) throw error;
      if (portLost.has(error.code) && wish.port !== request.port) {
        const { port: _lost, ...rest } = wish;
        wish = request.port === undefined ? rest : { ...rest, port: request.port };
      } else if (errorRules[error.code].retry) {
        await delay(deps.backoff.next(error.retryAfterMs), undefined, { signal: deps.signal });
      } else throw error;
    }
  }
}

const portLost: ReadonlySet<ErrorCode> = new Set(["port_taken", "port_unavailable", "no_relay"]);

function again(request: CreateSession, old: Session, now: number): CreateSession {
  // A private session wants none, whatever the old one was when it ended.
  const port = request.private ? undefined : (request.port ?? old.placements[0]?.clientPort ?? undefined);
  const wish = { ...request, name: old.name, ...(port === undefined ? {} : { port }) };
  if (old.expiresAt === null) return wish;
  const ttlSeconds = Math.ceil((Date.parse(old.expiresAt) - now) / 1_000);
  if (ttlSeconds < 1) throw new RdvError("ended", "The session's time is over");
  return { ...wish, ttlSeconds };
}
