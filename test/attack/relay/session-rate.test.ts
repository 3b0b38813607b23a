import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { attack } from "../../fixtures/attack.ts";
import { until } from "../../fixtures/within.ts";
import { readHalf, startBench, waitingHalf } from "../../relay-node/harness.ts";
import type { Bench } from "../../relay-node/harness.ts";

const flood = 100;
const newcomers = 5;

function comeFrom(bench: Bench, localAddress: string) {
  return readHalf(connect({ host: "127.0.0.1", port: bench.clientPort, localAddress, allowHalfOpen: true }));
}

attack(
  {
    point: 9,
    title: "uses up the clients a second of a session from one address",
    from: import.meta.url,
  },
  async () => {
    await using bench = await startBench();
    const ticket = await bench.ticket({ connectsPerSecond: 20 });
    const agents = [await waitingHalf(bench, ticket)];
    const strangers = Array.from({ length: flood }, () => comeFrom(bench, "127.0.7.1").socket);
    for (const socket of strangers) socket.on("error", () => {}).resume();
    await Promise.all(strangers.map(async (socket) => await once(socket, "connect")));
    const served = Array.from({ length: newcomers }, (_, at) => comeFrom(bench, `127.0.9.${at + 1}`));
    for (const { socket } of served) socket.end("newcomer");
    await until(20_000, "all newcomers wait or are paired", async () => {
      const { pairs, clientsWaiting, unpairedEnds } = bench.relay.metrics();
      const away = unpairedEnds.get("client too_many") ?? 0;
      return pairs + clientsWaiting + away >= flood + newcomers ? true : undefined;
    });
    for (const socket of strangers) socket.destroy();
    await until(20_000, "the newcomers alone are left", async () => {
      const { pairs, clientsWaiting } = bench.relay.metrics();
      return pairs + clientsWaiting <= newcomers + 1 ? true : undefined;
    });
    const heard: string[] = [];
    while (heard.length < newcomers) {
      const half = await waitingHalf(bench, ticket);
      agents.push(half);
      assert.equal((await half.answer()).type, "paired");
      heard.push(String(await half.rest()));
    }
    assert.deepEqual(
      heard,
      Array.from({ length: newcomers }, () => "newcomer"),
    );
    for (const { socket } of [...agents, ...served]) socket.destroy();
    return {
      tries: flood,
      answer: "one source gets three quarters of a session's rate: newcomers served 5 of 5",
    };
  },
);
