import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createPattern } from "../pattern.ts";
import { leg, type WithRig } from "../rig.ts";
import { gone, receive, send } from "../sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const mib = 1024 * 1024;

/** What lies in a leg when it is joined. */
export function testBeginnings(withRig: WithRig): void {
  for (const size of [1, 4_096, 4_097, 65_536, 65_537, 300_000]) {
    test(
      `${size} early bytes on both legs come first`,
      withRig(async (rig) => {
        const [a, b] = [await rig.wire(), await rig.wire()];
        const got = Promise.all([receive(b.outer, up), receive(a.outer, down)]);
        const joined = rig.pump.join(leg(a.inner, up.bytes(0, size)), leg(b.inner, down.bytes(0, size)));
        await Promise.all([
          send(a.outer, up, size + mib, { from: size }),
          send(b.outer, down, size + mib, { from: size }),
        ]);
        const whole = { bytes: size + mib, end: "fin" };
        assert.deepEqual(await got, [whole, whole]);
        assert.deepEqual(await joined.done, { outcome: "closed", aToB: size + mib, bToA: size + mib });
      }),
    );
  }

  test(
    "bytes that lie in the leg's own buffer follow the early bytes",
    withRig(async (rig) => {
      const [a, b] = [await rig.wire(), await rig.wire()];
      a.outer.write(up.bytes(3, 50_000));
      await once(a.inner, "readable");
      assert.ok(a.inner.readableLength > 0);
      const got = receive(b.outer, up);
      const joined = rig.pump.join(leg(a.inner, up.bytes(0, 3)), leg(b.inner));
      await send(a.outer, up, 100_000, { from: 50_003 });
      b.outer.end();
      assert.deepEqual(await got, { bytes: 100_000, end: "fin" });
      assert.equal((await joined.done).aToB, 100_000);
    }),
  );

  test(
    "a leg whose FIN was read before is still answered",
    withRig(async (rig) => {
      const [a, b] = [await rig.wire(), await rig.wire()];
      a.outer.end(up.bytes(0, 1_000));
      const chunks: Buffer[] = [];
      a.inner.on("data", (chunk: Buffer) => chunks.push(chunk));
      a.inner.resume();
      await once(a.inner, "end");
      a.inner.removeAllListeners("data");
      const got = Promise.all([receive(b.outer, up), receive(a.outer, down)]);
      const joined = rig.pump.join(leg(a.inner, Buffer.concat(chunks), true), leg(b.inner));
      await send(b.outer, down, 2 * mib);
      assert.deepEqual(await got, [
        { bytes: 1_000, end: "fin" },
        { bytes: 2 * mib, end: "fin" },
      ]);
      assert.deepEqual(await joined.done, { outcome: "closed", aToB: 1_000, bToA: 2 * mib });
    }),
  );

  test(
    "a leg with writes that the kernel has not taken yet keeps their order",
    withRig(async (rig) => {
      const [a, b] = [await rig.wire(), await rig.wire()];
      b.inner.write(up.bytes(0, 12 * mib));
      const joined = rig.pump.join(leg(a.inner), leg(b.inner));
      const got = receive(b.outer, up);
      await send(a.outer, up, 13 * mib, { from: 12 * mib });
      assert.deepEqual(await got, { bytes: 13 * mib, end: "fin" });
      b.outer.end();
      assert.equal((await joined.done).outcome, "closed");
    }),
  );

  test(
    "a leg that has gone before the join resets the other one",
    withRig(async (rig) => {
      const [a, b] = [await rig.wire(), await rig.wire()];
      a.inner.destroy();
      await once(a.inner, "close");
      const got = receive(b.outer, up);
      const joined = rig.pump.join(leg(a.inner), leg(b.inner));
      assert.equal((await got).end, "reset");
      assert.equal((await joined.done).outcome, "reset_by_a");
    }),
  );

  test(
    "early bytes for a leg whose peer has reset: the other one is reset, and not ended",
    withRig(async (rig) => {
      const [a, b] = [await rig.wire(), await rig.wire()];
      b.outer.resetAndDestroy();
      await gone(b.outer);
      const got = receive(a.outer, up);
      const joined = rig.pump.join(leg(a.inner, Buffer.from("early")), leg(b.inner));
      assert.equal((await got).end, "reset");
      assert.equal((await joined.done).outcome, "reset_by_b");
    }),
  );
}
