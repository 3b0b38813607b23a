import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createPattern } from "../pattern.ts";
import { type WithRig } from "../rig.ts";
import { receive, send } from "../sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const mib = 1024 * 1024;

/** Bytes on their way: sizes, speeds, many pairs at once. */
export function testStreams(withRig: WithRig): void {
  test(
    "streams of every size around the sizes of buffers arrive whole, both ways at once",
    withRig(async (rig) => {
      for (const size of sizes) {
        const { client, service, joined } = await rig.pair();
        const got = Promise.all([receive(service, up), receive(client, down)]);
        await Promise.all([send(client, up, size), send(service, down, size)]);
        const whole = { bytes: size, end: "fin" };
        assert.deepEqual(await got, [whole, whole]);
        assert.deepEqual(await joined.done, { outcome: "closed", aToB: size, bToA: size });
      }
    }),
  );

  test(
    "64 MiB each way at full speed",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair();
      const got = Promise.all([receive(service, up), receive(client, down)]);
      await Promise.all([send(client, up, 64 * mib), send(service, down, 64 * mib)]);
      const whole = { bytes: 64 * mib, end: "fin" };
      assert.deepEqual(await got, [whole, whole]);
      assert.deepEqual(await joined.done, { outcome: "closed", aToB: 64 * mib, bToA: 64 * mib });
    }),
  );

  test(
    "bytes that come one at a time go on one at a time, without waiting for more",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair();
      for (let at = 0; at < 1_000; at += 1) {
        client.write(up.bytes(at, 1));
        const [byte] = (await once(service, "data")) as [Buffer];
        up.check(at, byte);
        service.write(byte);
        await once(client, "data");
      }
      client.end();
      service.end();
      assert.deepEqual(await joined.done, { outcome: "closed", aToB: 1_000, bToA: 1_000 });
    }),
  );

  test(
    "single bytes, large blocks and pauses mixed arrive whole",
    withRig(async (rig) => {
      const { client, service } = await rig.pair();
      const got = receive(service, up);
      let at = 0;
      for (const size of [1, 16_384, 1, 3 * mib, 7, 16_383, 100_000, 1, mib, 64, 64, 40_000]) {
        await send(client, up, at + size, { from: at, end: false, chunk: size });
        at += size;
        await delay(5);
      }
      client.end();
      assert.deepEqual(await got, { bytes: at, end: "fin" });
    }),
  );

  test(
    "no byte of 500 pairs that run at once reaches another pair",
    withRig(async (rig) => {
      await Promise.all(
        Array.from({ length: 500 }, async (_, index) => {
          const { client, service, joined } = await rig.pair();
          const [there, back] = [createPattern(1_000 + 2 * index), createPattern(1_001 + 2 * index)];
          const got = Promise.all([receive(service, there), receive(client, back)]);
          await Promise.all([send(client, there, 200_000, { chunk: 33_000 }), send(service, back, 100_000)]);
          assert.deepEqual(
            (await got).map(({ bytes }) => bytes),
            [200_000, 100_000],
          );
          assert.equal((await joined.done).outcome, "closed");
        }),
      );
    }),
  );

  test(
    "a stuck reader and a running bulk stream leave other pairs alive",
    withRig(async (rig) => {
      const [stuck, bulk, chat] = [await rig.pair(), await rig.pair(), await rig.pair()];
      void send(stuck.client, up, 64 * mib);
      bulk.service.resume();
      void send(bulk.client, up, 4_096 * mib);
      chat.service.pipe(chat.service);
      for (let round = 0; round < 200; round += 1) {
        chat.client.write("ping");
        await once(chat.client, "data");
      }
      assert.ok(stuck.joined.counts().aToB < 32 * mib, "nobody read, so most must still be with the sender");
      const before = bulk.joined.counts().aToB;
      await once(bulk.service, "data");
      assert.ok(before > 0, "counts are readable while a pair lives");
    }),
  );
}

const sizes = [
  0,
  1,
  2,
  63,
  64,
  65,
  255,
  256,
  4_095,
  4_096,
  4_097,
  16_383,
  16_384,
  16_385,
  32_768,
  65_535,
  65_536,
  65_537,
  262_144,
  mib - 1,
  mib,
  mib + 1,
  4 * mib + 1,
  16 * mib - 1,
];
