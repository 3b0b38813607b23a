import type { Scenario } from "../model.ts";
import { connections } from "./connections.ts";
import { firstByte } from "./first-byte.ts";
import { idlePairs } from "./idle-pairs.ts";
import { roundTrip } from "./round-trip.ts";
import { stoppedReader } from "./stopped-reader.ts";
import { throughput } from "./throughput.ts";

/** In the order of the tables. */
export const allScenarios: readonly Scenario[] = [
  throughput,
  roundTrip,
  connections,
  firstByte,
  idlePairs,
  stoppedReader,
];
