import { limits } from "../protocol/limits.ts";
import { prices } from "./prices.ts";

/** What is priced. */
export interface Load {
  readonly agents: number;
  readonly relays: number;
  /** How often an agent connects anew in a day: restarts, other networks, deploys of the control plane. */
  readonly connectsPerDay: number;
}

/** What happens in a month, in the units in which it is billed. */
interface Usage {
  readonly workerRequests: number;
  readonly objectRequests: number;
  readonly gigabyteSeconds: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

export interface CostLine {
  readonly what: string;
  readonly usage: Usage;
}

export interface Cost {
  readonly lines: readonly CostLine[];
  readonly total: Usage;
  /** US dollars a month by unit, and together with the base price. */
  readonly dollars: Readonly<Record<keyof Usage | "base" | "sum", number>>;
}

const monthMs = 30 * 86_400_000;
/** An event keeps its object busy this long, calls to other objects included; a generous guess, in seconds. */
const busySeconds = 0.02;
const gigabytes = 0.128;

/** The cost of a month. Heartbeats are answered by the platform while the objects sleep, so they cost nothing. */
export function costOf({ agents, relays, connectsPerDay }: Load): Cost {
  const looks = (agents * monthMs) / (limits.stickyMs / 2);
  const renewals = (agents * monthMs) / limits.ticketRenewMs;
  const connects = agents * connectsPerDay * 30;
  const loads = (relays * monthMs) / limits.heartbeatMs;
  const relayLooks = (relays * monthMs) / limits.deadAfterMs;
  const lines = [
    // An alarm reads the record and sets the next alarm.
    line("sessions look after their agents", { events: looks, objectRequests: looks, reads: 2, writes: 1 }),
    // A message; the record and the alarm are written.
    line("agents get new tickets", {
      events: renewals,
      objectRequests: renewals / prices.messagesPerRequest,
      reads: 2,
      writes: 2,
    }),
    // A request to the Worker; the account checks the key, the session accepts and reports, the account notes it.
    line("agents connect", {
      events: connects * 3,
      workerRequests: connects,
      objectRequests: connects * 3,
      reads: 3,
      writes: 3,
    }),
    // A message to the relay's object, and a call to its region: the relay's record, its entry in the region.
    line("relays report their load", {
      events: loads * 2,
      objectRequests: loads / prices.messagesPerRequest + loads,
      reads: 2,
      writes: 1,
    }),
    line("relays are looked after", {
      events: relayLooks,
      objectRequests: relayLooks,
      reads: 3,
      writes: 1,
    }),
  ];
  const total = lines.map(({ usage }) => usage).reduce(sum);
  return { lines, total, dollars: dollarsOf(total) };
}

interface LineInput {
  /** Times that an object works. */
  readonly events: number;
  readonly workerRequests?: number;
  readonly objectRequests: number;
  /** Rows per event. */
  readonly reads: number;
  readonly writes: number;
}

function line(
  what: string,
  { events, workerRequests = 0, objectRequests, reads, writes }: LineInput,
): CostLine {
  const gigabyteSeconds = events * busySeconds * gigabytes;
  return {
    what,
    usage: {
      workerRequests,
      objectRequests,
      gigabyteSeconds,
      rowsRead: events * reads,
      rowsWritten: events * writes,
    },
  };
}

function sum(a: Usage, b: Usage): Usage {
  return {
    workerRequests: a.workerRequests + b.workerRequests,
    objectRequests: a.objectRequests + b.objectRequests,
    gigabyteSeconds: a.gigabyteSeconds + b.gigabyteSeconds,
    rowsRead: a.rowsRead + b.rowsRead,
    rowsWritten: a.rowsWritten + b.rowsWritten,
  };
}

function dollarsOf(usage: Usage): Cost["dollars"] {
  const price = (unit: keyof Usage): number =>
    (Math.max(0, usage[unit] - prices[unit].included) / 1e6) * prices[unit].perMillion;
  const byUnit = {
    workerRequests: price("workerRequests"),
    objectRequests: price("objectRequests"),
    gigabyteSeconds: price("gigabyteSeconds"),
    rowsRead: price("rowsRead"),
    rowsWritten: price("rowsWritten"),
  };
  return { ...byUnit, base: prices.base, sum: Object.values(byUnit).reduce((a, b) => a + b, prices.base) };
}
