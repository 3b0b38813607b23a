import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { Pump } from "../../../net/pump.ts";
import { testBeginnings } from "./conformance/beginnings.ts";
import { testEnds } from "./conformance/ends.ts";
import { testResets } from "./conformance/resets.ts";
import { testStreams } from "./conformance/streams.ts";
import { testTimers } from "./conformance/timers.ts";
import { createRig, type WithRig } from "./rig.ts";

/** What every pump has to do, over real sockets. All tests run at once in one pump, and so in each other's way. */
export function testConformance(name: string, createPump: () => Promise<Pump>): void {
  describe(name, { concurrency: true }, () => {
    const shared = createPump();
    after(async () => await (await shared)[Symbol.asyncDispose]());
    const withRig: WithRig = (use) => async () => {
      await using rig = await createRig(await shared);
      await use(rig);
    };
    testStreams(withRig);
    testEnds(withRig);
    testResets(withRig);
    testBeginnings(withRig);
    testTimers(withRig);

    test("a pump that is disposed cuts its pairs", async () => {
      await using own = await createPump();
      await using rig = await createRig(own);
      const pairs = [await rig.pair(), await rig.pair()];
      await own[Symbol.asyncDispose]();
      for (const { joined } of pairs) assert.equal((await joined.done).outcome, "cut");
    });
  });
}
