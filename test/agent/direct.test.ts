import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { createDirectAnswers } from "../../agent/direct/answer-offers.ts";
import type { DirectAnswers } from "../../agent/direct/answer-offers.ts";
import { createDirectPath } from "../../agent/direct/direct-path.ts";
import type { DirectPath } from "../../agent/direct/direct-path.ts";
import { readExactly } from "../../net/direct/read-exactly.ts";
import { silentLog } from "../../net/log.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import type {
  Candidate,
  DirectAnswer,
  DirectMiss,
  DirectOffer,
  DirectOutcome,
} from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { until } from "../relay-node/harness.ts";

const [agent, client, stranger] = [createIdentity(), createIdentity(), createIdentity()];
const never = new AbortController().signal;

for (const plain of [false, true])
  test(`a client and an agent meet and carry bytes both ways, ${plain ? "as they are" : "encrypted"}`, async () => {
    await using ends = openEnds({ plain });
    const taken = await ends.path.take();
    assert.equal(taken.type, "direct");
    if (taken.type !== "direct") return;
    const { socket: service, offer } = await ends.nextClient();
    await until(() => ends.outcomes.length > 0, "the end of the attempt");
    assert.deepEqual(ends.outcomes[0], [offer, "opened"]);
    taken.connection.socket.write("question");
    assert.equal((await readExactly(service, 8, never)).toString(), "question");
    service.write("answer");
    assert.equal((await readExactly(taken.connection.socket, 6, never)).toString(), "answer");
    assert.equal("encrypted" in taken.connection.socket, !plain);
    taken.connection.socket.destroy();
    service.destroy();
  });

test("each client has a connection of its own, taken from a pool that fills itself", async () => {
  await using ends = openEnds();
  await until(() => ends.path.ready === limits.directPool, "a full pool");
  await until(() => ends.answers.counts().idle === limits.directPool, "a full pool at the agent");
  const open: Socket[] = [];
  for (let clients = 0; clients < 5; clients += 1) {
    await until(() => ends.path.ready > 0, "a connection to take");
    const taken = await ends.path.take();
    assert.equal(taken.type, "direct");
    if (taken.type === "direct") open.push(taken.connection.socket);
    open.push((await ends.nextClient()).socket);
  }
  await until(() => ends.path.ready === limits.directPool, "a full pool again");
  for (const socket of open) socket.destroy();
});

for (const plain of [false, true]) {
  const how = plain ? "without encryption" : "with encryption";
  test(`an agent with another key is not taken for the right one, ${how}`, async () => {
    await using ends = openEnds({ plain, only: true, agentKey: stranger.fingerprint });
    assert.deepEqual(await ends.path.take(), { type: "missed", why: "refused" });
  });

  test(`a client with another key than the offer's reaches nobody, ${how}`, async () => {
    await using ends = openEnds({ plain, alter: (offer) => ({ ...offer, key: stranger.fingerprint }) });
    await until(() => ends.outcomes.length > 0, "the end of an attempt");
    assert.equal(ends.outcomes[0]?.[1], "refused");
    assert.equal(ends.answers.counts().idle, 0);
  });
}

test("why there is no direct connection is said in the words of the list", async () => {
  const cases: readonly [EndsOptions, DirectMiss][] = [
    [{ off: true }, "agent_off"],
    [{ refuse: "no_agent" }, "no_agent"],
    [{ refuse: "too_many" }, "busy"],
    [{ refuse: "unreachable" }, "no_control"],
    [{ answer: { type: "candidates", candidates: [], key: agent.fingerprint } }, "timed_out"],
    [{ answer: { type: "candidates", candidates: symmetric, key: agent.fingerprint } }, "symmetric"],
  ];
  for (const [options, why] of cases) {
    await using ends = openEnds({ ...options, only: true });
    assert.deepEqual(await ends.path.take(), { type: "missed", why });
  }
});

test("when the agent is gone its connections are given up, and the next client takes the relay", async () => {
  await using ends = openEnds();
  await until(() => ends.path.ready === limits.directPool, "a full pool");
  await ends.answers[Symbol.asyncDispose]();
  await until(() => ends.path.ready === 0, "an empty pool");
  assert.deepEqual(await ends.path.take(), { type: "missed", why: "starting" });
});

test("an agent makes no more than so many attempts at once", async () => {
  await using ends = openEnds();
  for (let offers = 0; offers < 2 * limits.directAttempts; offers += 1)
    ends.answers.offer({ offer: `offer${offers}`, key: client.fingerprint, candidates: [] });
  const busy = (): number =>
    ends.said.filter((answer) => answer.type === "no" && answer.reason === "busy").length;
  assert.ok(busy() >= limits.directAttempts, `${busy()} were told that it is busy`);
  assert.equal(ends.answers.counts().attempts, limits.directAttempts);
});

test("nothing is left open behind direct connections", async () => {
  const before = openHandles();
  {
    await using ends = openEnds();
    await until(() => ends.path.ready === limits.directPool, "a full pool");
    const taken = await ends.path.take();
    const { socket } = await ends.nextClient();
    socket.destroy();
    if (taken.type === "direct")
      await new Promise((resolve) => taken.connection.socket.resume().once("close", resolve));
  }
  await until(() => openHandles() <= before, "the handles of before");
});

function openHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
}

const symmetric: Candidate[] = [1, 2].map((port) => ({
  kind: "mapped",
  address: "127.0.0.1",
  port,
  listens: false,
}));

interface EndsOptions {
  readonly plain?: boolean;
  readonly only?: boolean;
  readonly off?: boolean;
  /** The key that the client expects. */
  readonly agentKey?: string;
  /** The control plane refuses every offer. */
  readonly refuse?: ErrorCode;
  /** The control plane's answer, without asking the agent. */
  readonly answer?: DirectAnswer;
  readonly alter?: (offer: DirectOffer) => DirectOffer;
}

interface Ends extends AsyncDisposable {
  readonly answers: DirectAnswers;
  readonly path: DirectPath;
  readonly outcomes: readonly [offer: string, outcome: DirectOutcome][];
  readonly said: readonly DirectAnswer[];
  nextClient(): Promise<{ socket: Socket; offer: string }>;
}

/** An agent and a client on this machine, with something between them that passes offers on. */
function openEnds(options: EndsOptions = {}): Ends {
  const { plain = false, only = false, off = false, alter = (offer) => offer } = options;
  const outcomes: [string, DirectOutcome][] = [];
  const said: DirectAnswer[] = [];
  const arrived = new EventEmitter();
  const clients: { socket: Socket; offer: string }[] = [];
  const waiting = new Map<string, (answer: DirectAnswer) => void>();
  const common = { plain, places: () => [], log: silentLog, random: Math.random, loopback: true };
  const answers = createDirectAnswers({
    ...common,
    identity: off ? undefined : agent,
    onAnswer: (offer, answer) => {
      said.push(answer);
      waiting.get(offer)?.(answer);
    },
    onOutcome: (offer, outcome) => void outcomes.push([offer, outcome]),
    onClient: ({ socket }, offer) => {
      clients.push({ socket, offer });
      arrived.emit("client");
    },
  });
  const path = createDirectPath({
    ...common,
    only,
    dialMs: 500,
    identity: client,
    agentKey: options.agentKey ?? agent.fingerprint,
    offer: async (offer) => {
      if (options.refuse) throw new RdvError(options.refuse);
      if (options.answer) return options.answer;
      const { promise, resolve } = Promise.withResolvers<DirectAnswer>();
      waiting.set(offer.offer, resolve);
      answers.offer(alter(offer));
      return await promise;
    },
  });
  return {
    answers,
    path,
    outcomes,
    said,
    nextClient: async () => {
      for (;;) {
        const next = clients.shift();
        if (next) return next;
        await once(arrived, "client");
      }
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await answers[Symbol.asyncDispose]();
    },
  };
}
