import assert from "node:assert/strict";
import { test } from "node:test";
import { dialClient, dialHalf, startBench, until, waitingHalf } from "./harness.ts";
import type { Bench } from "./harness.ts";

/** Clients turned away so far for this reason. */
function turnedAway(bench: Bench, outcome: "not_allowed" | "too_many"): number {
  return bench.relay.metrics().unpairedEnds.get(`client ${outcome}`) ?? 0;
}

/** Dials until a client is turned away for this reason: a policy that was sent takes a moment. */
async function untilTurnedAway(bench: Bench, outcome: "not_allowed" | "too_many"): Promise<void> {
  const before = turnedAway(bench, outcome);
  for (let tries = 0; turnedAway(bench, outcome) === before; tries += 1) {
    assert.ok(tries < 200, `no client is turned away as ${outcome}`);
    const { socket } = await dialClient(bench);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
  }
}

test("a newer policy holds for an open listener at once, and an older ticket does not bring the old one back", async () => {
  await using bench = await startBench();
  const later = Math.floor(Date.now() / 1_000) + 7_200;
  const soon = Math.floor(Date.now() / 1_000) + 60;
  await waitingHalf(bench, await bench.ticket({ revision: 3, expires: later }));
  bench.control.changePolicy(await bench.ticket({ revision: 4, allow: ["192.0.2.1"], expires: soon }));
  await untilTurnedAway(bench, "not_allowed");
  // A half with an older ticket is served, but under the newer policy.
  await waitingHalf(bench, await bench.ticket({ revision: 3, expires: later }));
  bench.control.changePolicy(await bench.ticket({ revision: 3, expires: later }));
  bench.control.changePolicy(await bench.ticket({ revision: 9, epoch: 2 }));
  bench.control.changePolicy("no.ticket.atall");
  await until(
    () => bench.lines.some((line) => line.includes("ticket of the control plane is not taken")),
    "all of them were looked at",
  );
  const before = turnedAway(bench, "not_allowed");
  await dialClient(bench);
  await until(() => turnedAway(bench, "not_allowed") === before + 1, "still turned away");
  const half = await waitingHalf(bench, await bench.ticket({ revision: 5, expires: soon }));
  const client = await dialClient(bench);
  assert.equal((await half.answer()).type, "paired");
  client.socket.destroy();
});

test("no more clients a second than the session allows, from all sources together", async () => {
  await using bench = await startBench();
  await waitingHalf(bench, await bench.ticket({ connectsPerSecond: 1 }));
  const clients = await Promise.all(Array.from({ length: 6 }, async () => await dialClient(bench)));
  await until(() => turnedAway(bench, "too_many") >= 3, "three and more of six are too many");
  assert.ok(turnedAway(bench, "too_many") <= 5);
  for (const { socket } of clients) socket.destroy();
});

test("a session that has used up its bytes is cut, closed and reported once", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket({ bytes: 10_000 });
  const half = await waitingHalf(bench, ticket);
  const client = await dialClient(bench);
  assert.equal((await half.answer()).type, "paired");
  client.socket.write(Buffer.alloc(6_000));
  await half.received(6_000);
  assert.deepEqual(bench.relay.metrics().pairEnds.get("budget_used"), undefined);
  half.socket.write(Buffer.alloc(6_000));
  await until(() => bench.relay.metrics().pairEnds.get("budget_used") === 1, "the pair is cut by its budget");
  const spent = () => bench.control.said.filter((signal) => (signal as { type: string }).type === "spent");
  await until(() => spent().length > 0, "the control plane knows");
  assert.deepEqual(spent(), [{ type: "spent", session: "s_sessionundertest0000", owner: "a_owner" }]);
  assert.ok(bench.lines.some((line) => line.includes("byte budget used up")));
  const refused = await (await dialHalf(bench, ticket)).answer();
  assert.ok(refused.type === "refused" && refused.status === 410);
});
