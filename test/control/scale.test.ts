import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../protocol/limits.ts";
import { createSecrets } from "./control-under-test.ts";
import { randomFrom } from "./random.ts";
import { createSimulation } from "./simulation.ts";
import type { SimulatedSocket, Simulation } from "./simulation.ts";
import { rootGrant } from "./root-grant.ts";

/** The fleet in question, of which one relay's share is run with the real objects: the others are alike. */
const fleet = { sessions: 1_000_000, relays: 1_000, regions: 10, sessionsPerAccount: 1_000 };
const share = fleet.sessions / fleet.relays;
/** The platform's soft limit of requests to one object. */
const softLimit = 1_000;
const owner = "a_admin";
const otherRelays = 4;

test(
  "1,000,000 sessions on 1,000 relays: no object is asked 1,000 times a second",
  { timeout: 120_000 },
  async (t) => {
    const control = createSimulation(await createSecrets(), randomFrom(7));
    const ids = Array.from({ length: otherRelays + 1 }, (_, index) => `r_${String(index).padStart(8, "0")}`);
    const links = new Map<string, SimulatedSocket>();
    const [lost = "", ...others] = ids;
    links.set(lost, await openLink(control, lost));
    // All its sessions come to it while it is alone.
    const agents = await openSessions(control);
    for (const id of others) links.set(id, await openLink(control, id));
    const say = (what: string, rates: ReadonlyMap<string, number>): void => {
      for (const [object, rate] of rates) t.diagnostic(`${what}: ${object} ${rate.toPrecision(3)}/s`);
    };

    control.takeCounts();

    // Half an hour in which nothing happens but heartbeats, renewals and the objects' own looks.
    const quietSeconds = limits.ticketRenewMs / 1_000;
    for (let at = 0; at < quietSeconds; at += limits.heartbeatMs / 1_000) {
      for (const [id, link] of links) await link.send(load(id === lost ? share : 0));
      const turn = at / (limits.heartbeatMs / 1_000);
      for (const [index, agent] of agents.entries())
        if (index % (quietSeconds / 15) === turn) await agent.send({ type: "renew" });
      await control.advance(limits.heartbeatMs);
    }
    const quiet = perClass(control.takeCounts(), quietSeconds);
    const relaysPerRegion = fleet.relays / fleet.regions;
    quiet.set("REGIONS", ((quiet.get("REGIONS") ?? 0) / ids.length) * relaysPerRegion);
    say("quiet", quiet);
    for (const [object, rate] of quiet) assert.ok(rate < 100, `${object}: ${rate}/s when nothing happens`);

    // The relay is killed: its agents say so, and it does not come back.
    await links.get(lost)?.drop();
    const peaks = new Map<string, number>();
    let lastMove = 0;
    for (let second = 1; second <= 20; second += 1) {
      for (const agent of agents)
        if (second % 4 === 1 && placeOf(agent) === lost) await agent.send({ type: "lost", relay: lost });
      await control.advance(1_000);
      for (const agent of agents) {
        if (!agent.fresh()) continue;
        lastMove = second;
        await agent.send({ type: "up", relay: placeOf(agent) });
      }
      for (const [object, count] of control.takeCounts()) raise(peaks, object, count);
    }
    assert.ok(
      agents.every((agent) => placeOf(agent) !== lost),
      "every session has moved",
    );
    const byClass = new Map<string, number>();
    for (const [object, count] of peaks) raise(byClass, object.slice(0, object.indexOf("/")), count);
    say(`a relay of ${share} sessions is lost, ${otherRelays} others take them`, byClass);
    t.diagnostic(`the last session moved ${lastMove} s after the loss`);
    assert.ok(lastMove <= 15);
    for (const [object, count] of byClass) assert.ok(count < softLimit, `${object}: ${count} in one second`);

    // Every connection of the platform breaks at once, as at a deployment: the agents return in their first window.
    for (const agent of agents) await agent.reconnect();
    await control.advance(limits.backoffBaseMs);
    const returning = perClass(control.takeCounts(), 1);
    say(`all ${fleet.sessionsPerAccount} agents of an account return in one second`, returning);
    const account = returning.get("ACCOUNTS") ?? 0;
    t.diagnostic(
      `first to saturate: an account's object, at ${Math.floor((softLimit / account) * fleet.sessionsPerAccount)} agents that return within one second`,
    );
  },
);

/** Calls a second of the busiest object of each class. */
function perClass(counts: ReadonlyMap<string, number>, seconds: number): Map<string, number> {
  const busiest = new Map<string, number>();
  for (const [object, count] of counts) raise(busiest, object.slice(0, object.indexOf("/")), count / seconds);
  return busiest;
}

function raise(peaks: Map<string, number>, key: string, value: number): void {
  peaks.set(key, Math.max(value, peaks.get(key) ?? 0));
}

async function openLink(control: Simulation, id: string): Promise<SimulatedSocket> {
  const link = await control.connect("RELAYS", id, `/v1/relays/${id}/link`);
  const ports = { from: 20_000, to: 29_999 };
  await link.send({
    type: "hello",
    region: "eu",
    host: `${id.slice(2)}.test`,
    sharedPort: 1,
    ports,
    version: "1",
  });
  await link.send(load(0));
  return link;
}

function load(sessions: number): object {
  const idle = { pairs: 0, bytesPerSecond: 0, lagMs: 0 };
  return { type: "load", load: { ...idle, sessions, descriptors: sessions * 3, maxDescriptors: 65_536 } };
}

/** All sessions of one relay, with their agents. */
async function openSessions(control: Simulation): Promise<Agent[]> {
  const agents: Agent[] = [];
  for (let index = 0; index < share; index += 1) {
    const reserved = await control.env.ACCOUNTS.getByName(owner).reserve({
      owner,
      request: { name: `s-${index}` },
      by: rootGrant,
    });
    assert.ok(reserved.ok);
    const { id, name } = reserved.value;
    const session = control.env.SESSIONS.getByName(`${owner}/${id}`);
    const opened = await session.open({ id, owner, name, by: rootGrant, request: { target: "x", name } });
    assert.ok(opened.ok);
    agents.push(await openAgent(control, id));
  }
  for (const agent of agents) agent.fresh();
  return agents;
}

interface Agent {
  placements(): readonly string[];
  /** Whether it was told something new since the last time. */
  fresh(): boolean;
  send(signal: object): Promise<void>;
  reconnect(): Promise<void>;
}

async function openAgent(control: Simulation, id: string): Promise<Agent> {
  const connect = async (): Promise<SimulatedSocket> =>
    await control.connect("SESSIONS", `${owner}/${id}`, `/v1/sessions/${id}/agent`);
  let socket = await connect();
  let read = 0;
  return {
    placements: () => {
      const told = socket.received as { type: string; placements?: { relay: string }[] }[]; // the objects' signals
      return told.findLast(({ type }) => type === "placed")?.placements?.map(({ relay }) => relay) ?? [];
    },
    fresh: () => {
      const isFresh = socket.received.length > read;
      read = socket.received.length;
      return isFresh;
    },
    send: async (signal) => await socket.send(signal),
    reconnect: async () => {
      await socket.drop();
      socket = await connect();
    },
  };
}

function placeOf(agent: Agent | undefined): string {
  return agent?.placements()[0] ?? "";
}
