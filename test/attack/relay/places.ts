import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { resetSocket } from "../../../net/pump-reset.ts";
import { attack, triesNow } from "../../fixtures/attack.ts";
import { until } from "../../fixtures/within.ts";
import { dial, dialShared } from "../../relay-node/harness.ts";
import { openLegs } from "./legs.ts";
import type { LegBench, LegKind } from "./legs.ts";
import { startPairs } from "./pairs.ts";
import type { Pair } from "./pairs.ts";

const tries = triesNow(1_000);
const skip = process.platform === "linux" ? false : "counts descriptors in /proc";

/** One way in which connections end; `begin` makes so many of them and brings them to their end. */
interface End {
  readonly name: string;
  /** How many at once: a session lets 64 halves wait. */
  readonly atOnce: number;
  readonly byStrangers?: boolean;
  readonly end: (legs: LegBench, count: number) => Promise<void>;
}

const ofPairs = (name: string, end: (pair: Pair, legs: LegBench) => void, more = {}): End => ({
  name,
  atOnce: 50,
  async end(legs, count) {
    const { pairs, session, expires } = await startPairs(legs, count, more);
    for (const pair of pairs) end(pair, legs);
    if (name === "the session ends") legs.bench.control.end({ session, until: expires });
    await until(20_000, `pairs end: ${name}`, async () =>
      legs.bench.relay.metrics().pairs === 0 ? true : undefined,
    );
    for (const { agent, client } of pairs) for (const { socket } of [agent, client]) socket.destroy();
  },
});

const strangers = (name: string, act: (socket: Socket) => void, plain = true): End => ({
  name,
  atOnce: 100,
  byStrangers: true,
  async end({ bench }, count) {
    const sockets = await Promise.all(
      Array.from(
        { length: count },
        async () => await (plain ? dial(bench.relay.sharedPort) : dialShared(bench)),
      ),
    );
    for (const socket of sockets)
      act(
        socket
          .on("error", () => {})
          .on("end", () => socket.destroy())
          .resume(),
      );
    await Promise.all(sockets.map(async (socket) => await closed(socket)));
  },
});

const ends: readonly End[] = [
  ofPairs("both sides end", ({ agent, client }) => {
    client.socket.end("question");
    agent.socket.end("answer");
  }),
  ofPairs("the client resets", ({ client }) => resetSocket(client.socket)),
  ofPairs("the agent resets", ({ agent }) => resetSocket(agent.socket)),
  ofPairs("both reset at once", ({ agent, client }) => {
    resetSocket(client.socket);
    resetSocket(agent.socket);
  }),
  ofPairs("half-closed for too long", ({ client }) => void client.socket.end()),
  ofPairs("the session ends", () => {}),
  ofPairs("the budget of bytes is used up", ({ client }) => void client.socket.write("x"), { bytes: 1 }),
  {
    name: "a waiting half goes, or resets",
    atOnce: 50,
    async end(legs, count) {
      const { halves } = await startPairs(legs, 0, {}, count);
      halves.forEach(({ socket }, at) => (at % 2 === 0 ? resetSocket(socket) : socket.destroy()));
      await noHalves(legs);
    },
  },
  {
    name: "a half is refused",
    atOnce: 100,
    async end(legs, count) {
      const refused = await Promise.all(
        Array.from({ length: count }, async () => await legs.half("agent", "no.ticket.atall")),
      );
      // What closes behind a refusal may overtake it inside a WebSocket.
      const answers = await Promise.allSettled(refused.map(async (half) => await half.answer()));
      for (const answer of answers)
        if (answer.status === "fulfilled") assert.equal(answer.value.type, "refused");
      for (const { socket } of refused) socket.destroy();
    },
  },
  strangers("says what is no HTTP", (socket) => void socket.end("SSH-2.0-x\r\n\r\n")),
  strangers("breaks a TLS handshake off", (socket) => {
    socket.write(Buffer.of(0x16, 3, 1, 2, 0), () => resetSocket(socket));
  }),
  strangers("says nothing in time", () => {}),
  strangers(
    "asks, and resets",
    (socket) => {
      socket.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      socket.once("data", () => resetSocket(socket));
    },
    false,
  ),
];

/** Attacks a relay with all ends of connections whose halves come in this way. */
export function attackPlaces(leg: LegKind, from: string): void {
  // What strangers do before a request does not depend on what a half would have done behind it.
  const mine = ends.filter(({ byStrangers }) => !byStrangers || !leg.webSocket);
  attack(
    {
      point: 4,
      title: `a stranger ends connections in ${mine.length} ways to use up a relay's places: ${leg.name}`,
      from,
      options: { skip },
    },
    async () => {
      await using legs = await openLegs(leg, { halfClosedMs: 200 }, 1_000);
      const { relay } = legs.bench;
      const before = descriptors();
      for (const { name, atOnce, end } of mine) {
        for (let done = 0; done < tries; done += atOnce) await end(legs, atOnce);
        await until(20_000, `every place is given back: ${name}`, async () => {
          const { connections, halvesWaiting, clientsWaiting, pairs } = relay.metrics();
          return connections + halvesWaiting + clientsWaiting + pairs === 0 ? true : undefined;
        });
      }
      await until(20_000, "every descriptor is given back", async () =>
        descriptors() <= before + spare ? true : undefined,
      );
      return { tries: tries * mine.length, answer: "every place and every descriptor is given back" };
    },
  );
}

/** The session's own port, which rests, and pipes that the kernel pump keeps for the next pairs. */
const spare = 70;

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

async function noHalves({ bench }: LegBench): Promise<void> {
  await until(20_000, "the halves are gone", async () =>
    bench.relay.metrics().halvesWaiting === 0 ? true : undefined,
  );
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}
