import { setTimeout as delay } from "node:timers/promises";
import { openFleet } from "./fleet-scene.ts";
import type { AgentEvent, Agents, Fleet } from "./fleet-scene.ts";

// Measures outages of a fleet in network namespaces, a JSON line each: node measure-failover.ts SESSIONS [OUTAGE].

/** The figures of one outage; times in seconds. */
interface Measured {
  readonly outage: string;
  readonly sessions: number;
  readonly figures: Readonly<Record<string, number>>;
}

type Measure = (fleet: Fleet, sessions: number) => Promise<Measured>;

/** What one session's clients are asked for during an outage, in milliseconds. */
const watchMs = 12_000;

const drain: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(sessions, { region: "eu" });
  const [watched, others] = at(fleet, agents, "eu-1");
  const pair = await fleet.prober.hold(watched.address);
  const clients = watch(fleet, () => agents.ready().get(watched.agent)?.address ?? watched.address);
  const start = Date.now();
  await fleet.rdv("relays", "drain", fleet.relay("eu-1").id());
  await agents.allReady(120_000, ({ address }) => fleet.relayAt(address).name === "eu-2");
  const served = await clients.stop();
  const isAlive = (await pair()).ok;
  return result("drain", others, { ...times(agents, start), ...served, pairsCut: isAlive ? 0 : 1 });
};

const killed: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(sessions, { region: "eu" });
  const [, others] = at(fleet, agents, "eu-1");
  const relay = fleet.relay("eu-1");
  await relay.killHard();
  const start = Date.now();
  await agents.allReady(120_000, ({ address }) => fleet.relayAt(address) !== relay);
  return result("relay killed, stays away", others, times(agents, start));
};

const killedAndBack: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(sessions, { region: "eu" });
  const [watched, others] = at(fleet, agents, "eu-1");
  const relay = fleet.relay("eu-1");
  const before = agents.events.length;
  await relay.killHard();
  const start = Date.now();
  await relay.start();
  while (!(await fleet.prober.probe(watched.address, 2_000)).ok);
  const serving = Date.now() - start;
  await delay(watchMs);
  const moved = agents.events.slice(before).filter((event) => event.event === "ready").length;
  return result("relay killed, back at once", others, { served: seconds(serving), moved });
};

const killedOneOfTwo: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(Math.min(sessions, 200), { relays: 2 });
  const [first] = agents.ready().values();
  const [lost = "", kept = ""] = first?.addresses ?? [];
  const relay = fleet.relayAt(lost);
  const touched = [...agents.ready().values()].filter(({ addresses }) =>
    addresses.some((one) => fleet.relayAt(one) === relay),
  ).length;
  const clients = watch(fleet, () => kept);
  await relay.killHard();
  const start = Date.now();
  await agents.allReady(120_000, ({ addresses }) => addresses.every((one) => fleet.relayAt(one) !== relay));
  return result("one of two relays killed", touched, { ...times(agents, start), ...(await clients.stop()) });
};

const noControlLink: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(Math.min(sessions, 100), { region: "eu" });
  const [watched, others] = at(fleet, agents, "eu-1");
  const before = agents.events.length;
  const relay = fleet.relay("eu-1");
  const heal = await fleet.partition(relay.machine, fleet.control);
  const clients = watch(fleet, () => watched.address);
  await waitForState(fleet, relay.id(), "gone");
  await delay(watchMs);
  await heal();
  const healed = Date.now();
  await waitForState(fleet, relay.id(), "up");
  const figures = { reconciled: seconds(Date.now() - healed), ...(await clients.stop()) };
  const moved = agents.events.slice(before).filter((event) => event.event === "ready").length;
  return result("relay cut off from the control plane", others, { ...figures, moved });
};

const noWay: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(Math.min(sessions, 100), { region: "eu" });
  const [, others] = at(fleet, agents, "eu-1");
  const relay = fleet.relay("eu-1");
  await fleet.partition(relay.machine, fleet.agentRouter);
  const start = Date.now();
  await agents.allReady(240_000, ({ address }) => fleet.relayAt(address) !== relay);
  return result("agents cut off from their relay", others, times(agents, start));
};

const noControl: Measure = async (fleet, sessions) => {
  await using agents = await fleet.expose(sessions, { region: "eu" });
  const [watched] = at(fleet, agents, "eu-1");
  const pair = await fleet.prober.hold(watched.address);
  const clients = watch(fleet, () => watched.address);
  const before = agents.events.length;
  await fleet.killControl();
  await delay(watchMs);
  await fleet.startControl();
  const start = Date.now();
  for (;;) {
    const sessionsNow = await fleet.rdv("sessions", "ls");
    const relaysNow = await fleet.rdv("relays", "ls");
    const isLive = sessionsNow.every(({ state }) => state === "live") && sessionsNow.length === sessions;
    if (isLive && relaysNow.every(({ state }) => state === "up")) break;
    if (Date.now() - start > 120_000) throw new Error("the fleet did not come back within 120 s");
  }
  const reconciled = seconds(Date.now() - start);
  const served = await clients.stop();
  const moved = agents.events.slice(before).filter((event) => event.event === "ready").length;
  const pairsCut = (await pair()).ok ? 0 : 1;
  return result("control plane killed for 12 s", sessions, { reconciled, ...served, moved, pairsCut });
};

/** A session at this relay, and how many there are. */
function at(fleet: Fleet, agents: Agents, name: string): [AgentEvent, number] {
  const there = [...agents.ready().values()].filter(({ address }) => fleet.relayAt(address).name === name);
  const [first] = there;
  if (!first) throw new Error(`no session at ${name}`);
  return [first, there.length];
}

/** When the sessions that said `ready` since then were served again. */
function times(agents: Agents, start: number): Record<string, number> {
  const took = [...agents.ready().values()]
    .map(({ at: ready }) => ready - start)
    .filter((ms) => ms > 0)
    .sort((a, b) => a - b);
  const quantile = (share: number): number =>
    seconds(took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0);
  return { first: quantile(0), median: quantile(0.5), p99: quantile(0.99), last: quantile(1) };
}

/** New clients of one session, one after the other. */
function watch(fleet: Fleet, address: () => string): { stop: () => Promise<Record<string, number>> } {
  let stopped = false;
  let clients = 0;
  let turnedAway = 0;
  const running = (async () => {
    while (!stopped) {
      const dialled = address();
      const { ok } = await fleet.prober.probe(dialled);
      clients += 1;
      // Who dialled the old address in the moment of the change was told the new one by the event.
      if (!ok && dialled === address()) turnedAway += 1;
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await running;
      return { clients, turnedAway };
    },
  };
}

async function waitForState(fleet: Fleet, relay: string, state: string): Promise<void> {
  const isSo = async (): Promise<boolean> =>
    (await fleet.rdv("relays", "ls")).some((one) => one["id"] === relay && one.state === state);
  while (!(await isSo()));
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}

function result(outage: string, sessions: number, figures: Record<string, number>): Measured {
  return { outage, sessions, figures };
}

const outages: Readonly<Record<string, Measure>> = {
  drain,
  killed,
  killedAndBack,
  killedOneOfTwo,
  noControlLink,
  noWay,
  noControl,
};

const [count = "1000", only] = process.argv.slice(2);
for (const [name, measure] of Object.entries(outages)) {
  if (only !== undefined && only !== name) continue;
  await using fleet = await openFleet();
  process.stdout.write(`${JSON.stringify(await measure(fleet, Number(count)))}\n`);
}
