import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkSignal, OpenSession, SessionSignal } from "../../protocol/signals.ts";
import { createSecrets } from "./control-under-test.ts";
import { randomFrom } from "./random.ts";
import { createSimulation } from "./simulation.ts";
import type { SimulatedSocket, Simulation } from "./simulation.ts";
import { rootGrant } from "./root-grant.ts";

const relayIds = ["r_00000001", "r_00000002", "r_00000003"];
const owner = "a_admin";
const sessions = 12;
const steps = 600;

/** A relay process: what it serves, whatever the control plane thinks. */
interface TestRelay {
  readonly id: string;
  link: SimulatedSocket | undefined;
  up: boolean;
  /** By session, the port on which it listens; null for a session without. */
  readonly open: Map<string, number | null>;
}

interface TestAgent {
  readonly session: string;
  readonly name: string;
  readonly relays: number;
  socket: SimulatedSocket | undefined;
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  test(`signals that are lost, repeated and reordered, relays and links that come and go: in the end all agree (${seed})`, async () => {
    const random = randomFrom(seed);
    const control = createSimulation(await createSecrets(), random);
    const relays = relayIds.map((id): TestRelay => ({ id, link: undefined, up: true, open: new Map() }));
    for (const relay of relays) await link(control, relay);
    const agents: TestAgent[] = [];
    for (let index = 0; index < sessions; index += 1) {
      const reserved = await control.env.ACCOUNTS.getByName(owner).reserve({
        owner,
        request: { name: `box-${index}` },
        by: rootGrant,
      });
      assert.ok(reserved.ok);
      const { id, name } = reserved.value;
      const agent: TestAgent = { session: id, name, relays: index % 3 === 0 ? 2 : 1, socket: undefined };
      assert.ok(await open(control, agent, index % 4 === 0));
      agents.push(agent);
    }
    /** Signals on their way. */
    const late: (() => Promise<void>)[] = [];
    const send = async (socket: SimulatedSocket | undefined, signal: object): Promise<void> => {
      const dice = random();
      if (!socket || dice < 0.15) return;
      if (dice < 0.35) return void late.push(async () => await socket.send(signal));
      await socket.send(signal);
      if (dice < 0.5) await socket.send(signal);
    };

    for (let step = 0; step < steps; step += 1) {
      const agent = agents[Math.floor(random() * agents.length)];
      const relay = relays[Math.floor(random() * relays.length)];
      assert.ok(agent && relay);
      const dice = random();
      if (dice < 0.1) agent.socket = await attach(control, agent);
      else if (dice < 0.14) await agent.socket?.drop();
      else if (dice < 0.35) {
        const type = random() < 0.5 ? "lost" : "up";
        await send(agent.socket, { type, relay: relay.id });
      } else if (dice < 0.42) {
        const clientPort = random() < 0.2 ? null : 20_000 + Math.floor(random() * 6);
        const code = random() < 0.5 ? "full" : "port_unavailable";
        await send(agent.socket, { type: "refused", relay: relay.id, clientPort, code });
      } else if (dice < 0.46) await send(agent.socket, { type: "renew" });
      else if (dice < 0.48) await open(control, agent, random() < 0.5);
      else if (dice < 0.52) await relay.link?.drop();
      else if (dice < 0.55) relay.up = false;
      else if (dice < 0.65) {
        relay.up = true;
        await link(control, relay);
      } else if (dice < 0.7) await send(relay.link, helloOf());
      else if (dice < 0.75) await send(relay.link, { type: "sessions", sessions: listed(relay) });
      else if (dice < 0.9) await late.splice(Math.floor(random() * late.length), 1)[0]?.();
      else if (dice < 0.93) control.evictAll();
      else if (dice < 0.95 && relay !== relays[0]) await control.env.RELAYS.getByName(relay.id).drain(null);
      // No agent is away for `limits.stickyMs`, which would end its session.
      for (const one of agents)
        if (!one.socket?.isOpen && random() < 0.03) one.socket = await attach(control, one);
      dialAll(agents, relays);
      await control.advance(Math.floor(random() * 3_000));
      obey(relays);
    }

    // The weather clears: every relay and every agent is there, and says nothing but the truth.
    for (const deliver of late) await deliver();
    for (let round = 0; round < 4; round += 1) {
      for (const relay of relays) {
        relay.up = true;
        if (!relay.link?.isOpen) await link(control, relay);
      }
      for (const agent of agents) {
        agent.socket = await attach(control, agent);
        dialAll([agent], relays);
        for (const { relay } of placements(agent)) await agent.socket.send({ type: "up", relay });
      }
      await control.advance(15_000);
      obey(relays);
      for (const relay of relays) await relay.link?.send({ type: "load", load: load(relay) });
    }
    for (const relay of relays) await relay.link?.send({ type: "sessions", sessions: listed(relay) });
    await control.advance(1_000);
    obey(relays);
    await agree(control, relays, agents);
  });

/** Asks for a session, maybe again and as the other kind. */
async function open(control: Simulation, agent: TestAgent, isPrivate: boolean): Promise<boolean> {
  const { session: id, name, relays } = agent;
  const request = { target: "x", name, relays, private: isPrivate };
  const opened = await control.env.SESSIONS.getByName(`${owner}/${id}`).open({
    id,
    owner,
    name,
    by: rootGrant,
    request,
  });
  return opened.ok;
}

async function agree(
  control: Simulation,
  relays: readonly TestRelay[],
  agents: readonly TestAgent[],
): Promise<void> {
  const wanted = new Map(relays.map(({ id }) => [id, new Map<string, number | null>()]));
  for (const agent of agents) {
    const session = await control.env.SESSIONS.getByName(`${owner}/${agent.session}`).view(null);
    assert.ok(session && session.state !== "ended", "no session is lost");
    assert.deepEqual(
      placements(agent).map(({ relay, clientPort }) => [relay, clientPort]),
      session.placements.map(({ relay, clientPort }) => [relay, clientPort]),
      "the agent knows where its session is",
    );
    assert.equal(
      new Set(session.placements.map(({ clientPort }) => clientPort)).size,
      1,
      "one port everywhere",
    );
    for (const { relay, clientPort } of session.placements) wanted.get(relay)?.set(session.id, clientPort);
  }
  for (const relay of relays) {
    const ports = wanted.get(relay.id) ?? new Map<string, number | null>();
    const leased = [...ports.values()].filter((port) => port !== null);
    assert.equal(new Set(leased).size, leased.length, `two owners of a port at ${relay.id}`);
    const view = await control.env.RELAYS.getByName(relay.id).view(null);
    assert.equal(view?.leases, ports.size, `leases of ${relay.id}: none lost, none left over`);
    assert.deepEqual(inOrder(relay.open), inOrder(ports), `ports open at ${relay.id}`);
  }
}

const helloOf = (): object => ({
  type: "hello",
  region: "eu",
  host: "relay.test",
  sharedPort: 8_788,
  ports: { from: 20_000, to: 20_199 },
  version: "1",
});

async function link(control: Simulation, relay: TestRelay): Promise<void> {
  await relay.link?.drop();
  relay.link = await control.connect("RELAYS", relay.id, `/v1/relays/${relay.id}/link`);
  await relay.link.send({ ...helloOf(), host: `${relay.id.replaceAll("_", "-")}.test` });
  await relay.link.send({ type: "sessions", sessions: listed(relay) });
  await relay.link.send({ type: "load", load: load(relay) });
}

function listed({ open }: TestRelay): OpenSession[] {
  return [...open].map(([session, port]) => ({ session, owner, port, epoch: 1 }));
}

function load({ open }: TestRelay): object {
  return {
    pairs: 0,
    sessions: open.size,
    bytesPerSecond: 0,
    descriptors: 10,
    maxDescriptors: 1_000,
    lagMs: 0,
  };
}

async function attach(control: Simulation, { session, socket }: TestAgent): Promise<SimulatedSocket> {
  await socket?.drop();
  return await control.connect("SESSIONS", `${owner}/${session}`, `/v1/sessions/${session}/agent`);
}

/** Where the agent was told last that its session is. */
function placements({ socket }: TestAgent): readonly { relay: string; clientPort: number | null }[] {
  const told = (socket?.received ?? []) as SessionSignal[]; // what the objects sent
  const last = told.findLast((signal) => signal.type === "placed");
  return last?.type === "placed" ? last.placements : [];
}

/** Agents dial what they were told; a relay that is up then listens. */
function dialAll(agents: readonly TestAgent[], relays: readonly TestRelay[]): void {
  for (const agent of agents)
    for (const { relay: id, clientPort } of placements(agent)) {
      const relay = relays.find((one) => one.id === id);
      if (relay?.up && agent.socket?.isOpen) relay.open.set(agent.session, clientPort);
    }
}

/** Relays do what they are told; one that is down has forgotten everything. */
function obey(relays: readonly TestRelay[]): void {
  for (const relay of relays) {
    if (!relay.up) relay.open.clear();
    const signals = (relay.link?.received.splice(0) ?? []) as LinkSignal[]; // what the objects sent
    for (const signal of signals) {
      if (signal.type === "leave") relay.open.delete(signal.session);
      if (signal.type === "end") relay.open.delete(signal.ended.session);
    }
  }
}

function inOrder<T>(ports: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...ports].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
