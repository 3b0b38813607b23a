import { setDefaultAutoSelectFamilyAttemptTimeout } from "node:net";

/** A lost SYN is repeated after 1 s (RFC 6298 section 2), and a satellite is half a second away. */
const addressMs = 1_500;

/**
 * Lets Node's own requests and WebSockets wait so long for one address of a host name before they give it up for the
 * next one. By default it is 250 ms, and a control plane that is farther away could not be reached at all from where
 * its other addresses lead nowhere. To be called before work begins; `dialTcp` knows better by itself.
 */
export function giveAddressesTime(): void {
  setDefaultAutoSelectFamilyAttemptTimeout(addressMs);
}
