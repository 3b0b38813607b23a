import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";
import type { SessionIndex } from "./session-index.ts";

/** Sessions asked at once. */
const atOnce = 25;

/**
 * Takes names and quota back from reservations whose session never came to be, because the host was killed in
 * between. Gives the number of sessions that could not be asked.
 */
export async function forgetAbandoned(
  { env }: Services,
  index: SessionIndex,
  account: string,
): Promise<number> {
  async function look(id: string): Promise<void> {
    const session = await env.SESSIONS.getByName(sessionObjectName(account, id)).view(null);
    // Somebody may have asked for the name again meanwhile: that session is being opened now.
    if (!index.unheard().includes(id)) return;
    if (session === null || session.state === "ended") index.forget(id);
    else index.settle(id);
  }
  const abandoned = index.unheard();
  let failures = 0;
  for (let first = 0; first < abandoned.length; first += atOnce) {
    const results = await Promise.allSettled(abandoned.slice(first, first + atOnce).map(look));
    failures += results.filter(({ status }) => status === "rejected").length;
  }
  return failures;
}
