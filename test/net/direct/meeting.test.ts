import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { openMeeting } from "../../../net/direct/meeting.ts";
import type { Meeting } from "../../../net/direct/meeting.ts";
import { isSymmetric } from "../../../net/direct/mapping.ts";
import { readExactly } from "../../../net/direct/read-exactly.ts";
import type { Candidate } from "../../../protocol/connect.ts";

const never = new AbortController().signal;

test("two sides meet, and both have the same connection", async () => {
  await using place = await openPlace();
  await using agent = await open(place);
  await using client = await open(place);
  assert.deepEqual([agent.mapping, client.mapping], ["independent", "independent"]);
  const [atAgent, atClient] = [sockets(), sockets()];
  const [there, here] = await Promise.all([
    meet(agent, client.candidates, { chooses: false, met: atAgent }),
    meet(client, agent.candidates, { chooses: true, met: atClient }),
  ]);
  assert.deepEqual([there, here], ["opened", "opened"]);
  assert.equal(atClient.all.length, 1);
  const [chosen] = atClient.all;
  chosen?.write("now");
  const first = await Promise.any(atAgent.all.map(async (socket) => await readExactly(socket, 3, never)));
  assert.equal(first.toString(), "now");
  for (const socket of [...atAgent.all, ...atClient.all]) socket.destroy();
});

test("a NAT that shows each place another port is found out, and the other side can tell", async () => {
  await using place = await openPlace();
  await using liar = await openPlace(7);
  await using meeting = await openMeeting({ places: [place, liar], signal: never, loopback: true });
  assert.equal(meeting.mapping, "symmetric");
  assert.equal(isSymmetric(meeting.candidates), true);
  await using plain = await open(place);
  assert.equal(isSymmetric(plain.candidates), false);
});

test("without anybody to ask, the machine's own addresses are offered", async () => {
  await using meeting = await openMeeting({ places: [], signal: never, loopback: true });
  assert.equal(meeting.mapping, "unknown");
  assert.ok(meeting.candidates.some(({ address, listens }) => address === "127.0.0.1" && listens));
});

test("a place that answers nonsense, or too much, is as good as none", async () => {
  const answers = ["no JSON", JSON.stringify({ address: "nowhere", port: 1 }), "x".repeat(5_000)];
  for (const answer of answers) {
    await using place = await openPlace(0, answer);
    await using meeting = await openMeeting({ places: [place], signal: never, loopback: true });
    assert.equal(meeting.mapping, "unknown");
  }
});

test("a place that never answers is not waited for when another one has answered", async () => {
  await using place = await openPlace();
  const silent = createServer().listen(0, "127.0.0.1");
  silent.removeAllListeners("request").on("request", () => {});
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo; // a TCP server that listens has an address object
  const places = [place, { host: "127.0.0.1", port, tls: null }];
  await using meeting = await openMeeting({ places, signal: never, loopback: true, askMs: 3_600_000 });
  assert.equal(meeting.mapping, "independent");
  silent.close();
  silent.closeAllConnections();
});

test("nobody there: the attempt ends in time and leaves nothing open", async () => {
  await using meeting = await openMeeting({ places: [], signal: never, loopback: true });
  const gone: Candidate = { kind: "host", address: "127.0.0.1", port: await unusedPort(), listens: true };
  const met = sockets();
  assert.equal(await meet(meeting, [gone], { chooses: true, met, timeoutMs: 200 }), "timed_out");
  assert.equal(met.all.length, 0);
});

test("a stranger who finds the listener is turned away", async () => {
  await using meeting = await openMeeting({ places: [], signal: never, loopback: true });
  const { port = 0 } = meeting.candidates.find(({ listens }) => listens) ?? {};
  const attempt = meeting.meet({
    targets: [],
    chooses: false,
    signal: never,
    timeoutMs: 1_500,
    prove: async (socket, signal) => {
      if ((await readExactly(socket, 6, signal)).toString() === "friend") return socket;
      throw new Error("a stranger");
    },
    onMet: () => assert.fail("a stranger was met"),
  });
  const stranger = connect({ port, host: "127.0.0.1" });
  stranger.on("error", () => {});
  stranger.write("robber");
  await once(stranger, "close");
  assert.equal(await attempt, "refused");
});

test("an attempt that is given up ends at once", async () => {
  await using meeting = await openMeeting({ places: [], signal: never, loopback: true });
  const stop = new AbortController();
  const attempt = meet(meeting, [], { chooses: true, met: sockets(), signal: stop.signal });
  stop.abort();
  assert.equal(await attempt, "timed_out");
});

interface Met {
  readonly all: Socket[];
}

function sockets(): Met {
  return { all: [] };
}

async function open(place: { host: string; port: number; tls: null }): Promise<Meeting> {
  return await openMeeting({ places: [place, place], signal: never, loopback: true });
}

async function meet(
  meeting: Meeting,
  targets: readonly Candidate[],
  options: { chooses: boolean; met: Met; timeoutMs?: number; signal?: AbortSignal },
): Promise<string> {
  return await meeting.meet({
    targets,
    signal: never,
    ...options,
    prove: async (socket) => {
      socket.write("hello");
      assert.equal((await readExactly(socket, 5, never)).toString(), "hello");
      return socket;
    },
    onMet: (socket) => void options.met.all.push(socket),
  });
}

/** Somebody who says how it sees those who ask, or something else. */
async function openPlace(
  shift = 0,
  answer?: string,
): Promise<{ host: string; port: number; tls: null } & AsyncDisposable> {
  const server = createServer(({ socket }, response) => {
    const seen = { address: socket.remoteAddress, port: (socket.remotePort ?? 0) + shift };
    response.end(answer ?? JSON.stringify(seen));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  return {
    host: "127.0.0.1",
    port,
    tls: null,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function unusedPort(): Promise<number> {
  await using place = await openPlace();
  return place.port;
}
