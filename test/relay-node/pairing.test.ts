import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../protocol/limits.ts";
import { emptyPairing } from "../../relay-node/pairing-state.ts";
import type { PairingEffect, PairingEvent, PairingState } from "../../relay-node/pairing-state.ts";
import { step } from "../../relay-node/pairing.ts";

test("the first half opens the port, and waits once the port is open", () => {
  const session = start();
  assert.deepEqual(session.send(arrived("h1")), [{ type: "open_port", port: 20_000 }]);
  assert.deepEqual(session.send(arrived("h2")), []);
  assert.deepEqual(session.send({ type: "port_opened", port: 20_000 }), [
    { type: "accept_half", half: "h1" },
    { type: "accept_half", half: "h2" },
  ]);
  assert.deepEqual(session.send(arrived("h3")), [{ type: "accept_half", half: "h3" }]);
});

test("a port that cannot be opened is told to the halves that wanted it, and nothing is left", () => {
  const session = start();
  session.send(arrived("h1"));
  assert.deepEqual(session.send({ type: "port_failed", port: 20_000 }), [
    { type: "end_half", half: "h1", outcome: "refused", code: "port_unavailable" },
    { type: "forget" },
  ]);
});

test("a session without a port accepts at once, and rests when nobody is there", () => {
  const session = start();
  assert.deepEqual(session.send(arrived("h1", { port: null })), [{ type: "accept_half", half: "h1" }]);
  assert.deepEqual(session.send({ type: "half_gone", half: "h1", outcome: "gone" }), [
    { type: "end_half", half: "h1", outcome: "gone", code: "bad_request" },
    { type: "start_rest" },
  ]);
  assert.deepEqual(session.send({ type: "rested" }), [{ type: "stop_rest" }, { type: "forget" }]);
});

test("a session that loses its port while it is opened accepts who waited for that", () => {
  const session = start();
  session.send(arrived("h1"));
  const terms = { epoch: 1, revision: 2, expires: 1_000, port: null, once: false, pairs: 256 };
  assert.deepEqual(session.send({ type: "policy_changed", ...terms }), [
    { type: "close_port", port: 20_000 },
    { type: "accept_half", half: "h1" },
  ]);
  assert.deepEqual(session.send({ type: "port_opened", port: 20_000 }), [], "too late");
  assert.deepEqual(session.send(arrived("h2", { revision: 3 })), [{ type: "open_port", port: 20_000 }]);
});

test("a client gets the newest half, and the half hears how many clients still wait", () => {
  const session = opened("h1", "h2");
  assert.deepEqual(session.send(came("c1")), [{ type: "tell_half", pair: "c1", half: "h2", demand: 0 }]);
  assert.deepEqual(session.send(came("c2")), [{ type: "tell_half", pair: "c2", half: "h1", demand: 0 }]);
  session.send(came("c3"));
  session.send(came("c4"));
  session.send(came("c5"));
  assert.deepEqual(session.send(arrived("h3")), [
    { type: "accept_half", half: "h3" },
    { type: "tell_half", pair: "c3", half: "h3", demand: 2 },
  ]);
});

test("a half that has gone is not paired", () => {
  const session = opened("h1");
  assert.deepEqual(session.send({ type: "half_gone", half: "h1", outcome: "gone" }), [
    { type: "end_half", half: "h1", outcome: "gone", code: "bad_request" },
    { type: "start_rest" },
  ]);
  assert.deepEqual(session.send(came("c1")), []);
});

test("a half that is lost while it is told gives its client back to the head of the queue", () => {
  const session = opened("h1");
  session.send(came("c1"));
  session.send(came("c2"));
  session.send({ type: "untold", pair: "c1" });
  assert.deepEqual(session.send(arrived("h2")), [
    { type: "accept_half", half: "h2" },
    { type: "tell_half", pair: "c1", half: "h2", demand: 1 },
    { type: "stop_rest" },
  ]);
});

test("a client that leaves while its half is told costs the half, and is counted once", () => {
  const session = opened("h1");
  session.send(came("c1"));
  assert.deepEqual(session.send({ type: "client_gone", client: "c1" }), []);
  assert.deepEqual(session.send({ type: "told", pair: "c1" }), [
    { type: "drop_pair", pair: "c1", half: "h1", outcome: "reset_by_client" },
    { type: "start_rest" },
  ]);
});

test("a client that waited too long is told why", () => {
  const session = opened();
  session.send(came("c1"));
  assert.deepEqual(session.send({ type: "client_waited", client: "c1" }), [
    { type: "end_client", client: "c1", outcome: "no_agent", code: "no_agent" },
  ]);
  const full = opened("h1", "h2");
  full.send(arrived("h3", { pairs: 1 }));
  full.send(came("c1"));
  assert.deepEqual(full.send(came("c2")), []);
  assert.deepEqual(full.send({ type: "client_waited", client: "c2" }), [
    { type: "end_client", client: "c2", outcome: "full", code: "full" },
  ]);
});

test("a pair that ends makes room for the next client", () => {
  const session = opened("h1");
  session.send(arrived("h2", { pairs: 1 }));
  session.send(came("c1"));
  session.send({ type: "told", pair: "c1" });
  session.send(came("c2"));
  assert.deepEqual(session.send({ type: "pair_closed", pair: "c1" }), [
    { type: "tell_half", pair: "c2", half: "h1", demand: 0 },
  ]);
});

test("halves and clients that wait are bounded", () => {
  const halves = opened(...ids("h", limits.halvesWaiting));
  assert.deepEqual(halves.send(arrived("more")), [
    { type: "end_half", half: "more", outcome: "full", code: "full" },
  ]);
  const clients = opened();
  for (const id of ids("c", limits.clientsWaiting)) clients.send(came(id));
  assert.deepEqual(clients.send(came("more")), [
    { type: "end_client", client: "more", outcome: "full", code: "full" },
  ]);
});

test("a source that has its share of a session's pairs waits, and others are paired past it", () => {
  const session = opened(...ids("h", 40));
  for (let i = 0; i < limits.pairsPerSession; i += 1) {
    session.send(arrived(`h-${i}`));
    session.send(came(`c${i}`, "192.0.2.1"));
    session.send({ type: "told", pair: `c${i}` });
  }
  const share = session.state().pairs.length;
  assert.equal(share, Math.floor((limits.pairsPerSession * limits.pairGreed) / (limits.pairGreed + 1)));
  for (const id of ids("n", 5))
    assert.partialDeepStrictEqual(session.send(came(id, "198.51.100.1")), [{ type: "tell_half", pair: id }]);
  assert.deepEqual(session.send({ type: "client_waited", client: `c${share}` }), [
    { type: "end_client", client: `c${share}`, outcome: "full", code: "full" },
  ]);
});

test("of clients that wait, the source with the most gives way to one with fewer", () => {
  const session = opened();
  for (const id of ids("c", limits.clientsWaiting)) session.send(came(id, "192.0.2.1"));
  assert.deepEqual(session.send(came("new", "198.51.100.1")), [
    { type: "end_client", client: "c0", outcome: "full", code: "full" },
  ]);
  assert.ok(session.state().clients.some(({ id }) => id === "new"));
});

test("a newer epoch replaces the older halves, not their pairs; an older one is refused", () => {
  const session = opened("h1", "h2");
  session.send(came("c1"));
  session.send({ type: "told", pair: "c1" });
  assert.deepEqual(session.send(arrived("n1", { epoch: 2 })), [
    { type: "end_half", half: "h1", outcome: "replaced", code: "replaced" },
    { type: "accept_half", half: "n1" },
  ]);
  assert.deepEqual(session.send(arrived("h3")), [
    { type: "end_half", half: "h3", outcome: "replaced", code: "replaced" },
  ]);
  assert.equal(session.state().pairs.length, 1);
});

test("a newer ticket with another port moves the session; an older one cannot move it back", () => {
  const session = opened("h1");
  assert.deepEqual(session.send(arrived("h2", { port: 20_001, expires: 2_000 })), [
    { type: "close_port", port: 20_000 },
    { type: "open_port", port: 20_001 },
  ]);
  assert.deepEqual(session.send({ type: "port_opened", port: 20_000 }), []);
  assert.deepEqual(session.send({ type: "port_opened", port: 20_001 }), [
    { type: "accept_half", half: "h2" },
  ]);
  assert.deepEqual(session.send(arrived("h3")), [
    { type: "end_half", half: "h3", outcome: "replaced", code: "replaced" },
  ]);
});

test("once: one pair, then everybody else is told that it is over, and the pair goes on", () => {
  const session = start();
  session.send(arrived("h1", { once: true }));
  session.send(arrived("h2", { once: true }));
  session.send({ type: "port_opened", port: 20_000 });
  session.send(came("c1"));
  assert.deepEqual(session.send(came("c2")), []);
  assert.deepEqual(session.send({ type: "told", pair: "c1" }), [
    { type: "join", pair: "c1", half: "h2" },
    { type: "remember_ended" },
    { type: "end_half", half: "h1", outcome: "ended", code: "ended" },
    { type: "end_client", client: "c2", outcome: "ended", code: "ended" },
    { type: "close_port", port: 20_000 },
  ]);
  assert.deepEqual(session.send(arrived("h3")), [
    { type: "end_half", half: "h3", outcome: "ended", code: "ended" },
  ]);
  assert.deepEqual(session.send({ type: "pair_closed", pair: "c1" }), [{ type: "forget" }]);
});

test("once: a pair that is made while the relay drains uses up the session", () => {
  const session = start();
  session.send(arrived("h1", { once: true }));
  session.send({ type: "port_opened", port: 20_000 });
  session.send(came("c1"));
  session.send({ type: "drain" });
  assert.deepEqual(session.send({ type: "told", pair: "c1" }), [
    { type: "join", pair: "c1", half: "h1" },
    { type: "remember_ended" },
  ]);
});

test("once: a half that was lost before its 101 does not use up the session", () => {
  const session = start();
  session.send(arrived("h1", { once: true }));
  session.send(arrived("h2", { once: true }));
  session.send({ type: "port_opened", port: 20_000 });
  session.send(came("c1"));
  assert.deepEqual(session.send({ type: "untold", pair: "c1" }), [
    { type: "end_untold", pair: "c1", half: "h2" },
    { type: "tell_half", pair: "c1", half: "h1", demand: 0 },
  ]);
});

test("the end of a session stops all that it has", () => {
  const session = opened("h1", "h2", "h3");
  session.send(came("c1"));
  session.send({ type: "told", pair: "c1" });
  session.send(came("c2"));
  assert.deepEqual(session.send({ type: "end" }), [
    { type: "end_half", half: "h1", outcome: "ended", code: "ended" },
    { type: "close_port", port: 20_000 },
    { type: "cut_pair", pair: "c1", outcome: "cut" },
  ]);
  assert.deepEqual(session.send({ type: "told", pair: "c2" }), [
    { type: "drop_pair", pair: "c2", half: "h2", outcome: "cut" },
  ]);
  assert.deepEqual(session.send({ type: "pair_closed", pair: "c1" }), [{ type: "forget" }]);
});

test("of two tickets of one epoch the higher revision rules, and of one revision the later expiry", () => {
  const session = opened("h1");
  const terms = { epoch: 1, revision: 2, expires: 500, port: 20_000, once: false, pairs: 1 };
  session.send({ type: "policy_changed", ...terms });
  session.send(arrived("h2", { revision: 1, expires: 9_000, pairs: 256 }));
  session.send(came("c1"));
  assert.deepEqual(session.send(came("c2")), [], "one pair at once");
  session.send({ type: "policy_changed", ...terms, epoch: 2, revision: 7, pairs: 256 });
  session.send({ type: "policy_changed", ...terms, port: 20_001, revision: 7, pairs: 256 });
  session.send({ type: "policy_changed", ...terms, expires: 499, pairs: 256 });
  assert.deepEqual(session.send(came("c3")), [], "other epochs, other ports and older tickets say nothing");
  assert.deepEqual(session.send({ type: "policy_changed", ...terms, expires: 501, pairs: 2 }), [
    { type: "tell_half", pair: "c2", half: "h1", demand: 1 },
  ]);
});

test("a session whose bytes are used up ends like one that was ended, and is remembered", () => {
  const session = opened("h1");
  session.send(came("c1"));
  session.send({ type: "told", pair: "c1" });
  assert.deepEqual(session.send({ type: "spent" }), [
    { type: "remember_ended" },
    { type: "close_port", port: 20_000 },
    { type: "cut_pair", pair: "c1", outcome: "budget_used" },
  ]);
  assert.deepEqual(session.send({ type: "spent" }), []);
});

test("a drained relay takes nothing new, but finishes what lives", () => {
  const session = opened("h1", "h2");
  session.send(came("c1"));
  assert.deepEqual(session.send({ type: "drain" }), [
    { type: "end_half", half: "h1", outcome: "draining", code: "draining" },
    { type: "close_port", port: 20_000 },
  ]);
  assert.deepEqual(session.send({ type: "told", pair: "c1" }), [{ type: "join", pair: "c1", half: "h2" }]);
  assert.deepEqual(session.send({ type: "cut" }), [{ type: "cut_pair", pair: "c1", outcome: "cut" }]);
});

test("a session that nobody uses keeps its port for a while, then lets go of it", () => {
  const session = opened("h1");
  session.send({ type: "half_gone", half: "h1", outcome: "gone" });
  session.send(came("c1"));
  assert.deepEqual(session.send({ type: "rested" }), [
    { type: "end_client", client: "c1", outcome: "no_agent", code: "no_agent" },
    { type: "close_port", port: 20_000 },
    { type: "stop_rest" },
    { type: "forget" },
  ]);
  const busy = opened("h1");
  assert.deepEqual(busy.send({ type: "rested" }), []);
});

test("whatever happens, no half is paired twice or after it left, and every connection ends exactly once", () => {
  for (let seed = 1; seed <= 300; seed += 1) runRandomly(seed);
});

/** Sends random events, answers the effects as the relay would, and checks every effect against what is true outside. */
function runRandomly(seed: number): void {
  const random = createRandom(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const where = `seed ${seed}`;
  const halves = new Map<string, "waiting" | "left" | "told" | "ended">();
  const clients = new Map<string, "waiting" | "left" | "told" | "joined" | "ended">();
  const answers: PairingEvent[] = [];
  const once = random() < 0.1;
  const pairs = 1 + Math.floor(random() * 4);
  let state: PairingState = emptyPairing;
  let next = 0;
  let listening = 0;

  function send(event: PairingEvent): void {
    const result = step(state, event);
    state = result.state;
    for (const effect of result.effects) check(effect);
    assert(state.pairs.length <= 256 && listening >= 0 && listening <= 1, where);
  }
  function check(effect: PairingEffect): void {
    switch (effect.type) {
      case "tell_half":
        assert.equal(halves.get(effect.half), "waiting", `${where}: a half that waits`);
        assert.equal(clients.get(effect.pair), "waiting", `${where}: a client that waits`);
        halves.set(effect.half, "told");
        clients.set(effect.pair, "told");
        answers.push({ type: random() < 0.8 ? "told" : "untold", pair: effect.pair });
        return;
      case "end_half":
        assert.notEqual(halves.get(effect.half), "ended", `${where}: a half ends once`);
        assert.notEqual(
          halves.get(effect.half),
          "told",
          `${where}: a half that is told is not among the waiting`,
        );
        halves.set(effect.half, "ended");
        return;
      case "end_untold":
        assert.equal(halves.get(effect.half), "told", `${where}: only a half that was told is untold`);
        halves.set(effect.half, "ended");
        clients.set(effect.pair, "waiting");
        return;
      case "end_client":
        assert(
          !["ended", "joined"].includes(clients.get(effect.client) ?? ""),
          `${where}: a client ends once`,
        );
        clients.set(effect.client, "ended");
        return;
      case "join":
        assert.equal(clients.get(effect.pair), "told", where);
        clients.set(effect.pair, "joined");
        halves.set(effect.half, "ended");
        return;
      case "drop_pair":
        assert.notEqual(clients.get(effect.pair), "ended", where);
        clients.set(effect.pair, "ended");
        halves.set(effect.half, "ended");
        return;
      case "cut_pair":
        answers.push({ type: "pair_closed", pair: effect.pair });
        return;
      case "open_port":
        listening += 1;
        answers.push({ type: random() < 0.8 ? "port_opened" : "port_failed", port: effect.port });
        return;
      case "close_port":
        listening -= 1;
        return;
      case "accept_half":
      case "start_rest":
      case "stop_rest":
      case "remember_ended":
      case "forget":
        return;
    }
  }
  function answer(): void {
    const event = answers.shift();
    if (!event) return;
    if (event.type === "port_failed" && state.listening === "opening" && state.port === event.port)
      listening -= 1;
    if (event.type === "pair_closed") clients.set(event.pair, "ended");
    send(event);
  }
  function act(): void {
    const dice = random();
    next += 1;
    if (dice < 0.3) {
      const half = `h${next}`;
      halves.set(half, "waiting");
      const epoch = 1 + Math.floor(next / 40);
      send(arrived(half, { epoch: random() < 0.1 ? Math.max(1, epoch - 1) : epoch, once, pairs }));
    } else if (dice < 0.6) {
      clients.set(`c${next}`, "waiting");
      send(came(`c${next}`));
    } else if (dice < 0.7) {
      const half = pick([...halves].filter(([, stage]) => stage === "waiting"))?.[0];
      if (half) halves.set(half, "left");
      if (half) send({ type: "half_gone", half, outcome: "gone" });
    } else if (dice < 0.8) {
      const [client, stage] =
        pick([...clients].filter(([, stage]) => stage === "waiting" || stage === "told")) ?? [];
      if (client && stage === "waiting") clients.set(client, "left");
      if (client) send({ type: "client_gone", client });
    } else if (dice < 0.85) {
      const client = pick([...clients.keys()]);
      if (client) send({ type: "client_waited", client });
    } else if (dice < 0.95) {
      const pair = pick([...clients].filter(([, stage]) => stage === "joined"))?.[0];
      if (pair) clients.set(pair, "ended");
      if (pair) send({ type: "pair_closed", pair });
    } else if (dice < 0.955) {
      send({ type: "rested" });
    } else if (dice < 0.957) {
      send(pick<PairingEvent>([{ type: "end" }, { type: "drain" }]) ?? { type: "end" });
    }
    if (random() < 0.7) answer();
  }

  for (let turn = 0; turn < 300; turn += 1) act();
  send({ type: "cut" });
  while (answers.length > 0) answer();
  assert.deepEqual(leftovers(halves), [], `${where}: every half ended`);
  assert.deepEqual(leftovers(clients), [], `${where}: every client ended`);
  assert.deepEqual([state.halves, state.clients, state.pairs, state.listening], [[], [], [], "no"], where);
}

function leftovers(stages: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...stages].filter(([, stage]) => stage !== "ended");
}

/** Mulberry32: the same run for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function start() {
  let state = emptyPairing;
  return {
    state: () => state,
    send(event: PairingEvent): readonly PairingEffect[] {
      const result = step(state, event);
      state = result.state;
      return result.effects;
    },
  };
}

/** A session whose port is open and where these halves wait; one that came and left opened it when none is named. */
function opened(...halves: string[]) {
  const session = start();
  for (const half of halves.length > 0 ? halves : ["opener"]) session.send(arrived(half));
  session.send({ type: "port_opened", port: 20_000 });
  if (halves.length === 0) session.send({ type: "half_gone", half: "opener", outcome: "gone" });
  return session;
}

function arrived(
  half: string,
  more: Partial<Extract<PairingEvent, { type: "half_arrived" }>> = {},
): PairingEvent {
  return {
    type: "half_arrived",
    half,
    epoch: 1,
    revision: 1,
    expires: 1_000,
    port: 20_000,
    once: false,
    pairs: 256,
    ...more,
  };
}

function came(client: string, source = "192.0.2.1"): PairingEvent {
  return { type: "client_arrived", client, source };
}

function ids(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}
