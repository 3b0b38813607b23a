import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type as systemType } from "node:os";

/** Where the numbers come from. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** The system's default for TCP: one that paces decides what a stream on loopback makes. */
  readonly congestionControl: string;
  /** Load average of the last minute: how quiet it was. */
  readonly load: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: `${systemType()} ${release()} ${process.arch}`,
    node: process.version,
    congestionControl: readCongestionControl(),
    load: loadavg()[0] ?? 0,
  };
}

/** Linux alone tells; some benchmarks, and the tests of reports, run elsewhere too. */
function readCongestionControl(): string {
  if (process.platform !== "linux") return "unknown";
  return readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").trim();
}
