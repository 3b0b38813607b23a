import type { MeasuredPump } from "../net/create-pump.ts";
import type { RelayLoad } from "../protocol/api.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import { openDescriptors } from "./descriptors.ts";
import type { LoadMeter } from "./load-meter.ts";
import type { MetricsRecorder, RelayMetrics } from "./metrics.ts";
import type { Sessions } from "./sessions.ts";

interface RelayReportDeps {
  readonly metrics: MetricsRecorder;
  readonly sessions: Sessions;
  readonly budget: ConnectionBudget;
  readonly meter: LoadMeter;
  readonly pump: Pick<MeasuredPump, "kind" | "stats">;
  readonly maxDescriptors: number;
}

/** What a relay tells about itself, to those who look and to the control plane. */
export interface RelayReport {
  metrics(): RelayMetrics;
  /** The load since the last call. */
  load(): RelayLoad;
}

/** Gathers a relay's numbers from where they are kept. */
export function createRelayReport(deps: RelayReportDeps): RelayReport {
  const { sessions, budget, meter, maxDescriptors } = deps;

  function metrics(): RelayMetrics {
    const { sessions: known, halves, clients, pairs } = sessions.counts();
    return {
      ...deps.metrics.counters(),
      sessions: known,
      halvesWaiting: halves,
      clientsWaiting: clients,
      pairs,
      connections: budget.inUse,
      dropped: budget.dropped,
      pump: deps.pump.kind,
      pumped: deps.pump.stats(),
      lagMs: meter.lagMs(),
      descriptors: openDescriptors() ?? budget.inUse,
      maxDescriptors,
    };
  }

  return {
    metrics,
    load() {
      const { bytes, pairs, sessions: known, descriptors } = metrics();
      return { pairs, sessions: known, descriptors, maxDescriptors, ...meter.read(bytes.aToB + bytes.bToA) };
    },
  };
}
