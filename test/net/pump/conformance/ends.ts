import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createPattern } from "../pattern.ts";
import { type WithRig } from "../rig.ts";
import { receive, send } from "../sockets.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const mib = 1024 * 1024;

/** FIN is carried as FIN, each way by itself. */
export function testEnds(withRig: WithRig): void {
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
