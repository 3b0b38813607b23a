import * as z from "zod";
import type { Placement, Relay } from "../protocol/api.ts";
import { Host, Port, Region, RelayId, RelayLoad } from "../protocol/api.ts";
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
  version: z.string(),
  load: RelayLoad.nullable(),
  seenAt: z.number(),
  /** Where the search for the next free port starts. */
  cursor: z.number().int(),
  leases: z.number().int(),
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
  const kept = before ?? { load: null, cursor: hello.ports.from, leases: 0 };
  return { ...kept, ...described, id, seenAt: now };
}

/** The relay as the operator sees it; without a sign of life for `limits.deadAfterMs` it is gone. */
export function relayView(record: RelayRecord, heardAt: number, now: number): Relay {
  const { seenAt: _seen, cursor: _cursor, ...view } = record;
  return { ...view, state: heardAt + limits.deadAfterMs > now ? "up" : "gone", seenAt: isoTime(heardAt) };
}

/** A session's place on the relay. */
export function placementOn(record: RelayRecord, clientPort: number): Placement {
  const { id, region, host, sharedPort } = record;
  return { relay: id, region, host, sharedPort, clientPort };
}
