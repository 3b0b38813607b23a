import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Pump } from "../../../net/pump.ts";
import { createPattern } from "./pattern.ts";
import { createRig, leg, type Rig } from "./rig.ts";
import { gone, receive, send } from "./sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const kib = 1024;
const mib = 1024 * kib;

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

type WithRig = (use: (rig: Rig) => Promise<void>) => () => Promise<void>;

function testStreams(withRig: WithRig): void {
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

function testEnds(withRig: WithRig): void {
  for (const [asker, answerer] of [
    ["client", "service"],
    ["service", "client"],
  ] as const) {
    test(
      `${asker} half-closes after 1 MiB and gets 8 MiB that come later`,
      withRig(async (rig) => {
        const pair = await rig.pair();
        const [asks, answers] = [pair[asker], pair[answerer]];
        const answer = receive(asks, down);
        const question = receive(answers, up);
        await send(asks, up, mib);
        assert.deepEqual(await question, { bytes: mib, end: "fin" });
        await delay(300);
        await send(answers, down, 8 * mib);
        assert.deepEqual(await answer, { bytes: 8 * mib, end: "fin" });
        assert.equal((await pair.joined.done).outcome, "closed");
      }),
    );
  }

  test(
    "a reader that pauses for 10 s after the sender's FIN still gets everything",
    withRig(async (rig) => {
      const { client, service, joined } = await rig.pair();
      const sent = send(client, up, 16 * mib);
      await delay(10_000);
      assert.deepEqual(await receive(service, up), { bytes: 16 * mib, end: "fin" });
      await sent;
      service.end();
      assert.deepEqual(await joined.done, { outcome: "closed", aToB: 16 * mib, bToA: 0 });
    }),
  );

  test(
    "a slow reader gets everything although both sides have sent their FIN long ago",
    withRig(async (rig) => {
      const size = 24 * mib + 1_000; // the last block is small, so that the FIN is read while it still waits
      for (const [fast, slow] of [
        ["client", "service"],
        ["service", "client"],
      ] as const) {
        const pair = await rig.pair();
        pair[slow].end();
        const sent = send(pair[fast], up, size);
        await delay(300);
        const got = receive(pair[slow], up);
        pair[slow].on("data", () => {
          pair[slow].pause();
          setTimeout(() => pair[slow].resume(), 1);
        });
        pair[fast].resume();
        assert.deepEqual(await got, { bytes: size, end: "fin" });
        await sent;
        assert.equal((await pair.joined.done).outcome, "closed");
      }
    }),
  );

  test(
    "both sides end at the same moment",
    withRig(async (rig) => {
      for (let round = 0; round < 50; round += 1) {
        const { client, service, joined } = await rig.pair();
        const got = Promise.all([receive(service, up), receive(client, down)]);
        client.end(up.bytes(0, 100));
        service.end(down.bytes(0, 100));
        const whole = { bytes: 100, end: "fin" };
        assert.deepEqual(await got, [whole, whole]);
        assert.equal((await joined.done).outcome, "closed");
      }
    }),
  );
}

function testResets(withRig: WithRig): void {
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

function testBeginnings(withRig: WithRig): void {
  for (const size of [1, 4_096, 65_536, 65_537, 300_000]) {
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
}

function testTimers(withRig: WithRig): void {
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
      const { client, service, joined } = await rig.pair({ stallMs: 60_000, halfClosedMs: 400 });
      client.end();
      const got = receive(client, down);
      for (let at = 0; at < 20; at += 1) {
        service.write(down.bytes(at, 1));
        await delay(60);
      }
      service.end();
      assert.deepEqual(await got, { bytes: 20, end: "fin" });
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
