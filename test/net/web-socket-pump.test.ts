import { after, describe } from "node:test";
import { createPortablePump } from "../../net/portable-pump.ts";
import { testBeginnings } from "./pump/conformance/beginnings.ts";
import { testEnds } from "./pump/conformance/ends.ts";
import { testResets } from "./pump/conformance/resets.ts";
import { testTimers } from "./pump/conformance/timers.ts";
import { createRig } from "./pump/rig.ts";
import type { WithRig } from "./pump/rig.ts";
import { createWebSocketWires } from "./web-socket-wires.ts";

describe("pairs whose legs are WebSockets", { concurrency: true }, () => {
  const pump = createPortablePump();
  after(async () => await pump[Symbol.asyncDispose]());
  const withRig: WithRig = (use) => async () => {
    await using rig = await createRig(pump, createWebSocketWires);
    await use(rig);
  };
  testEnds(withRig);
  testResets(withRig);
  testBeginnings(withRig);
  testTimers(withRig);
});
