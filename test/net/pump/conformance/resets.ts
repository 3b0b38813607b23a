import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createPattern } from "../pattern.ts";
import { type WithRig } from "../rig.ts";
import { gone, receive, send } from "../sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const mib = 1024 * 1024;

/** RST is carried as RST, and a cut stream never looks finished. */
export function testResets(withRig: WithRig): void {
  for (const [breaker, other, outcome] of [
    ["client", "service", "reset_by_a"],
    ["service", "client", "reset_by_b"],
  ] as const) {
    test(
      `a reset by the ${breaker} arrives as a reset`,
      withRig(async (rig) => {
        const pair = await rig.pair();
        const got = receive(pair[other], up);
        pair[breaker].write(up.bytes(0, 10));
        await once(pair[other], "data");
        pair[breaker].resetAndDestroy();
        assert.deepEqual(await got, { bytes: 10, end: "reset" });
        assert.equal((await pair.joined.done).outcome, outcome);
      }),
    );

    test(
      `a reset by the ${breaker} in the middle of a stream never looks like its end`,
      withRig(async (rig) => {
        for (let round = 0; round < 30; round += 1) {
          const pair = await rig.pair();
          const got = receive(pair[other], up);
          void send(pair[breaker], up, 64 * mib);
          for (let seen = 0; seen <= round; seen += 1) await once(pair[other], "data");
          pair[breaker].resetAndDestroy();
          assert.equal((await got).end, "reset");
          assert.equal((await pair.joined.done).outcome, outcome);
        }
      }),
    );

    test(
      `a reset by the ${breaker} while the other side streams to it`,
      withRig(async (rig) => {
        const pair = await rig.pair();
        const got = receive(pair[other], up);
        void send(pair[other], down, 512 * mib);
        await once(pair[breaker], "readable");
        pair[breaker].resetAndDestroy();
        assert.equal((await got).end, "reset");
        assert.equal((await pair.joined.done).outcome, outcome);
      }),
    );
  }

  test(
    "a reset reaches the other side although that does not read",
    withRig(async (rig) => {
      const pair = await rig.pair();
      const closed = gone(pair.client);
      void send(pair.client, up, 64 * mib, { end: false });
      await once(pair.service, "readable");
      while (pair.joined.counts().aToB < mib) await delay(5);
      pair.service.resetAndDestroy();
      await closed;
      assert.equal((await pair.joined.done).outcome, "reset_by_b");
    }),
  );

  test(
    "cut resets both sides, and its outcome says so",
    withRig(async (rig) => {
      const pair = await rig.pair();
      const got = Promise.all([receive(pair.client, down), receive(pair.service, up)]);
      pair.client.write(up.bytes(0, 5));
      await once(pair.service, "data");
      pair.joined.cut();
      pair.joined.cut();
      assert.deepEqual(
        (await got).map(({ end }) => end),
        ["reset", "reset"],
      );
      assert.deepEqual(await pair.joined.done, { outcome: "cut", aToB: 5, bToA: 0 });
      pair.joined.cut();
      assert.deepEqual(pair.joined.counts(), { aToB: 5, bToA: 0 });
    }),
  );
}
