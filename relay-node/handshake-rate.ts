import { limits } from "../protocol/limits.ts";
import { isLoopback } from "../protocol/plain-address.ts";
import { sourceOf } from "../protocol/source-address.ts";
import { createSourceRate } from "./source-rate.ts";

/** Bounds the TLS handshakes that one source has for nothing. Loopback is not bounded. */
export interface HandshakeRate {
  /** Whether a handshake with this address may begin; it counts until it was well spent. */
  begin(address: string): boolean;
  /** Somebody there has shown a good ticket: one handshake of that source is forgotten. */
  wellSpent(address: string): void;
}

/** Makes the bound of what strangers can cost with handshakes alone; who has tickets makes as many as there are halves. */
export function createHandshakeRate(now: () => number): HandshakeRate {
  const rate = createSourceRate({ now, ...limits.handshakeRate });
  return {
    begin: (address) => isLoopback(address) || rate(sourceOf(address)),
    wellSpent(address) {
      if (!isLoopback(address)) rate(sourceOf(address), -1);
    },
  };
}
