import * as z from "zod";
import { createCell } from "./cell.ts";
import type { Table } from "./cell.ts";
import type { ObjectContext } from "./platform.ts";
import type { PortEntry } from "./leases.ts";
import type { RelayRecord } from "./relays.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** Tells a relay's sessions that the relay is back, some at a time, across alarms and restarts. */
export interface RelayNotices {
  /** The relay said hello: every session with a lease is told. */
  start(): void;
  /** Tells the next batch; true while there are more. */
  continue(relay: RelayRecord | undefined): Promise<boolean>;
}

/** Sessions told in one alarm, and at once: within the platform's bounds on calls. */
const batchSize = 200;
const atOnce = 20;
/** Agents spread their dials so that a relay meets about this many a second, and never more slowly than in 30 s. */
const dialsPerSecond = 500;
const longestSpreadMs = 30_000;

const Notice = z.object({ after: z.string() });

interface NoticeDeps {
  readonly ctx: ObjectContext;
  readonly services: Services;
  readonly bySession: Table<number>;
  readonly ports: Table<PortEntry>;
  /** The session is over or elsewhere: its lease is a leftover. */
  readonly drop: (session: string) => void;
}

export function createRelayNotices({ ctx, services, bySession, ports, drop }: NoticeDeps): RelayNotices {
  const notice = createCell(ctx.kv, "notice", Notice);

  async function tell(relay: RelayRecord, session: string, port: number): Promise<void> {
    const lease = ports.get(String(port));
    if (lease?.kind !== "leased" || lease.session !== session) return drop(session);
    const { id, region, host, sharedPort } = relay;
    const placement = { relay: id, region, host, sharedPort, clientPort: port };
    const object = services.env.SESSIONS.getByName(sessionObjectName(lease.owner, session));
    if (!(await object.relayBack({ placement, withinMs: spreadMs(relay.leases) }))) drop(session);
  }

  return {
    start: () => {
      notice.write({ after: "" });
      ctx.setAlarm(services.now());
    },
    continue: async (relay) => {
      const started = notice.read();
      if (!started || !relay) return false;
      const batch = [...bySession.entries({ startAfter: started.after, limit: batchSize })];
      for (let first = 0; first < batch.length; first += atOnce) {
        const calls = batch.slice(first, first + atOnce).map(([session, port]) => tell(relay, session, port));
        await Promise.allSettled(calls);
      }
      const last = batch.at(-1);
      if (notice.read()?.after !== started.after) return true;
      if (batch.length < batchSize || !last) notice.clear();
      else notice.write({ after: last[0] });
      return batch.length === batchSize;
    },
  };
}

function spreadMs(leases: number): number {
  return Math.min(longestSpreadMs, Math.max(1_000, Math.ceil(leases / dialsPerSecond) * 1_000));
}
