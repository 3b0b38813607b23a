import type { FlowTuning } from "./flow.ts";
import type { SharedTable } from "./shared-table.ts";

/** What a worker is told when it starts. */
export interface WorkerOrders {
  readonly table: SharedTable;
  /** The eventfd that wakes it. */
  readonly wake: number;
  readonly tuning: PumpTuning;
}

export interface PumpTuning extends FlowTuning {
  /** Pipes that one worker opens at most. */
  readonly mostPipes: number;
}
