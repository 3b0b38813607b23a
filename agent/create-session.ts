import { setTimeout as delay } from "node:timers/promises";
import type { CreateSession, Session } from "../protocol/api.ts";
import { abortable } from "./abortable.ts";

/** What creating a session, and taking it back, need of the control plane's client. */
export interface SessionApi {
  createSession(request: CreateSession): Promise<Session>;
  /** Without it a session that nobody comes to ends by itself, after minutes. */
  endSession?(session: string): Promise<void>;
}

/** The control plane has this long to hear that a session is not wanted any more, in milliseconds. */
export const goodbyeMs = 2_000;

/** Creates a session; one that is made although `signal` has aborted is ended. Throws the signal's reason. */
export async function createSession(
  api: SessionApi,
  request: CreateSession,
  signal: AbortSignal,
): Promise<Session> {
  const creating = api.createSession(request);
  try {
    return await abortable(creating, signal);
  } catch (error) {
    if (signal.aborted) await withinGoodbye(creating.then(async (session) => await endUnused(api, session)));
    throw error;
  }
}

/** Ends a session to which no agent has come yet; one that had an agent may have it still. */
export async function endUnused(api: SessionApi, { id, epoch }: Session): Promise<void> {
  if (epoch === 0 && api.endSession) await withinGoodbye(api.endSession(id));
}

/** Nobody is left who could do anything about a failure. */
async function withinGoodbye(ending: Promise<void>): Promise<void> {
  const enough = new AbortController();
  const late = delay(goodbyeMs, undefined, { signal: enough.signal }).catch(() => {});
  await Promise.race([ending.catch(() => {}), late]);
  enough.abort();
}
