import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createPattern } from "../pattern.ts";
import { type WithRig } from "../rig.ts";
import { receive, send } from "../sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const mib = 1024 * 1024;

/** Stuck and half-closed pairs are cut, idle ones never. */
export function testTimers(withRig: WithRig): void {
  test(
    "bytes queued and none taken: the pair is cut as stalled",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair({ stallMs: 200, halfClosedMs: 60_000 });
      void send(client, up, 256 * mib);
      const { outcome, aToB } = await joined.done;
      assert.equal(outcome, "stalled");
      assert.ok(aToB > 0 && aToB < 64 * mib);
      assert.equal((await receive(service, up)).end, "reset");
    }),
  );

  test(
    "a reader that takes a little now and then is not stalled",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair({ stallMs: 3_000, halfClosedMs: 60_000 });
      void send(client, up, 256 * mib, { end: false });
      service.on("data", () => {});
      for (let goal = mib; goal <= 32 * mib && !service.destroyed; goal += mib) {
        service.pause();
        await delay(100);
        service.resume();
        while (service.bytesRead < goal && !service.destroyed) await delay(5);
      }
      assert.ok(joined.counts().aToB < 256 * mib, "the reader must have been the slow one all the time");
      client.resetAndDestroy();
      assert.equal((await joined.done).outcome, "reset_by_a");
    }),
  );

  test(
    "half-closed and silent: the pair is cut",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair({ stallMs: 60_000, halfClosedMs: 200 });
      client.end("question");
      service.resume();
      assert.deepEqual(await joined.done, { outcome: "half_closed_timeout", aToB: 8, bToA: 0 });
    }),
  );

  test(
    "half-closed and talking: the pair lives",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair({ stallMs: 60_000, halfClosedMs: 2_000 });
      client.end();
      const got = receive(client, down);
      for (let at = 0; at < 30; at += 1) {
        service.write(down.bytes(at, 1));
        await delay(100);
      }
      service.end();
      assert.deepEqual(await got, { bytes: 30, end: "fin" });
      assert.equal((await joined.done).outcome, "closed");
    }),
  );

  test(
    "open and silent: no timer cuts the pair",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair({ stallMs: 40, halfClosedMs: 40 });
      client.write("a");
      await once(service, "data");
      await delay(1_500);
      client.write("b");
      const [last] = (await once(service, "data")) as [Buffer];
      assert.equal(last.toString(), "b");
      joined.cut();
      assert.equal((await joined.done).outcome, "cut");
    }),
  );
}
