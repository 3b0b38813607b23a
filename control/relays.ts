import * as z from "zod";
import type { Placement, Relay } from "../protocol/api.ts";
import { Host, Port, Region, RelayId, RelayLoad, Fingerprint } from "../protocol/api.ts";
import { limits } from "../protocol/limits.ts";
import type { RelaySignal } from "../protocol/signals.ts";
import { isoTime } from "./sessions.ts";

/** A relay as its object stores it. Times are milliseconds since 1970. */
export const RelayRecord = z.object({
  id: RelayId,
  region: Region,
  host: Host,
  sharedPort: Port,
  ports: z.object({ from: Port, to: Port }),
  tls: Fingerprint.nullable().default(null),
  version: z.string(),
  load: RelayLoad.nullable(),
  seenAt: z.number(),
  /** Where the search for the next free port starts. */
  cursor: z.number().int(),
  leases: z.number().int(),
  /** Takes no new session, and gives those that it has to others. */
  draining: z.boolean(),
});
export type RelayRecord = z.infer<typeof RelayRecord>;

type Hello = Extract<RelaySignal, { type: "hello" }>;

/** The record after the relay introduced itself; its leases go on. */
export function helloRecord(
  before: RelayRecord | undefined,
  id: string,
  hello: Hello,
  now: number,
): RelayRecord {
  const { type: _hello, ...described } = hello;
  const kept = before ?? { load: null, cursor: hello.ports.from, leases: 0, draining: false };
  return { ...kept, ...described, id, seenAt: now };
}

/** The relay as the operator sees it; without a sign of life for `limits.deadAfterMs` it is gone. */
export function relayView(record: RelayRecord, heardAt: number, now: number): Relay {
  const { seenAt: _seen, cursor: _cursor, draining, ...view } = record;
  const isHere = heardAt + limits.deadAfterMs > now;
  return { ...view, state: isHere ? (draining ? "draining" : "up") : "gone", seenAt: isoTime(heardAt) };
}

/** Why the relay cannot be taken out of the fleet now, or undefined. */
export function removalObstacle(view: Relay): string | undefined {
  if (view.state === "gone") return undefined;
  const pairs = view.load?.pairs ?? 0;
  if (view.state === "up") return `The relay is up; first rdv relays drain ${view.id}, or stop it`;
  if (view.leases > 0) return `The relay's drain is not over: it still has ${view.leases} sessions`;
  if (pairs > 0)
    return `The relay's drain is not over: ${pairs} connections still live; wait, or stop the relay`;
  return undefined;
}

/** A session's place on the relay. */
export function placementOn(record: RelayRecord, clientPort: number | null): Placement {
  const { id, region, host, sharedPort, tls } = record;
  return { relay: id, region, host, sharedPort, clientPort, tls };
}
