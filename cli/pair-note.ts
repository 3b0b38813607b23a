import type { PairEvent } from "../agent/live-pairs.ts";
import type { PresenceEvent } from "../agent/presence.ts";

/** What an agent's operator reads of a client's coming and going, and of outages. */
export function pairNote(event: PairEvent | PresenceEvent): string {
  switch (event.type) {
    case "paired":
      return `${event.client} connected${event.path === "direct" ? " directly" : ""}`;
    case "closed":
      return `${event.client} left: ${event.bytesIn} bytes in, ${event.bytesOut} bytes out, ${event.outcome}`;
    case "waiting":
      return `waiting: ${event.reason}`;
    case "back":
      return "back again";
  }
}
