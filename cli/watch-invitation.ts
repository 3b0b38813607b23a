import type { Log } from "../net/log.ts";
import type { Proxies } from "../net/proxy/proxies.ts";
import { createSignalLink } from "../net/signal-link.ts";
import { WatchSignal } from "../protocol/invitations.ts";
import type { Joined } from "../protocol/invitations.ts";

interface WatchDeps {
  readonly url: string;
  readonly token: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly proxies: Proxies;
  /** Said once for each claim, also over a broken connection. */
  readonly onJoined: (by: Joined, times: number) => void;
  readonly onPresence: (present: boolean) => void;
  /** The invitation is over. */
  readonly onEnded: (reason: string) => void;
}

/** Hears what becomes of an invitation, and reconnects for as long as it lives. */
export function watchInvitation(deps: WatchDeps): AsyncDisposable {
  let heard = 0;
  return createSignalLink<WatchSignal>({
    ...deps,
    incoming: WatchSignal,
    onOpen: () => {},
    onSignal(signal) {
      if (signal.type === "ended") deps.onEnded(signal.reason);
      if (signal.type === "presence") deps.onPresence(signal.present);
      if (signal.type !== "joined" || signal.times === heard) return;
      heard = signal.times;
      deps.onJoined(signal.by, signal.times);
    },
    onRefused(error) {
      deps.onEnded(error.message);
      return "stop";
    },
  });
}
