import type { Proxies } from "../../net/proxy/proxies.ts";

/** How relays are reached from here. */
export interface RelayWay {
  readonly proxies: Proxies;
  /** The control plane is on this machine, so its relays may be so too. */
  readonly local: boolean;
  readonly signal: AbortSignal;
}
