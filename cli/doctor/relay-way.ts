import type { Proxies } from "../../net/proxy/proxies.ts";

/** How relays are reached from here. */
export interface RelayWay {
  readonly proxies: Proxies;
  /** The control plane is on this machine, so its relays may be so too. */
  readonly local: boolean;
  /** A proxy goes to them, and looks up their names itself. */
  readonly proxied: boolean;
  readonly signal: AbortSignal;
}
