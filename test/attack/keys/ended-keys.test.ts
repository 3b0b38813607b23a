import assert from "node:assert/strict";
import { attack } from "../../fixtures/attack.ts";
import { dialHalf, startBench, until, waitingHalf } from "../../relay-node/harness.ts";
import type { Bench, Half } from "../../relay-node/harness.ts";

const point = 15;
const from = import.meta.url;
const [ended, other] = [`k_${"0".repeat(26)}`, `k_${"1".repeat(26)}`];
const none = { clientPort: null } as const;

async function client(bench: Bench, key: string): Promise<Half> {
  return await dialHalf(bench, await bench.ticket({ ...none, kind: "client", key }), "client");
}

async function pairedClient(bench: Bench, key: string): Promise<Half> {
  const half = await client(bench, key);
  assert.equal((await half.answer()).type, "waiting");
  assert.equal((await half.answer()).type, "paired");
  return half;
}

async function statusOf(half: Half): Promise<number> {
  const answer = await half.answer();
  return answer.type === "refused" ? answer.status : 0;
}

attack({ point, from, title: "who has tickets of a revoked key goes on using them" }, async () => {
  await using bench = await startBench({ clientWaitMs: 60_000 });
  await waitingHalf(bench, await bench.ticket(none));
  await waitingHalf(bench, await bench.ticket(none));
  const [live, kept] = [await pairedClient(bench, ended), await pairedClient(bench, other)];
  const waiting = await client(bench, ended);
  assert.equal((await waiting.answer()).type, "waiting");
  bench.control.endKey({ key: ended, until: Math.floor(Date.now() / 1_000) + 3_600 });
  assert.equal(await statusOf(waiting), 401);
  await assert.rejects(live.rest(), "its pair is cut");
  await until(() => bench.relay.metrics().pairs === 1, "the other key's pair goes on");
  assert.equal(await statusOf(await client(bench, ended)), 401);
  kept.socket.destroy();
  await bench.restart();
  assert.equal(await statusOf(await client(bench, ended)), 401, "after a restart without control plane");
  const fresh = await client(bench, other);
  assert.equal((await fresh.answer()).type, "waiting");
  return { tries: 4, answer: "pairs are cut, tickets are refused, also after the relay's restart" };
});
