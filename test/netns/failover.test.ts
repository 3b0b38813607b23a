import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { skipWithoutNamespaces } from "../fixtures/network.ts";
import { skipWithout } from "../fixtures/tools.ts";
import { until } from "../fixtures/within.ts";
import { openFleet } from "./fleet-scene.ts";
import type { AgentEvent, Fleet } from "./fleet-scene.ts";
import type { RdvEvent } from "../fixtures/rdv.ts";

const skip = skipWithoutNamespaces() || skipWithout("iptables");
const timeout = 600_000;

/** An agent whose session is at this relay. */
function agentAt(fleet: Fleet, ready: Map<number, AgentEvent>, relay: string): AgentEvent {
  const found = [...ready.values()].find(({ address }) => fleet.relayAt(address).name === relay);
  assert.ok(found, `a session at ${relay}`);
  return found;
}

test(
  "a drained relay gives its sessions to another one: no client is turned away, no pair is cut",
  { skip, timeout },
  async () => {
    await using fleet = await openFleet();
    const { prober } = fleet;
    await using agents = await fleet.expose(12, { region: "eu" });
    const old = agentAt(fleet, agents.ready(), "eu-1");
    const again = await prober.hold(old.address);
    const drained = fleet.relay("eu-1");

    let draining = false;
    const failed: string[] = [];
    const probing = (async () => {
      for (;;) {
        const { address } = agents.ready().get(old.agent) ?? old;
        const { ok, error } = await prober.probe(address);
        // A client that dialled the old address in the moment of the change is told by a close at once.
        if (!ok && (agents.ready().get(old.agent) ?? old).address === address)
          failed.push(`${address}: ${error}`);
        if (draining && address !== old.address) return;
      }
    })();
    draining = true;
    const [said] = await fleet.rdv("relays", "drain", drained.id());
    assert.equal(said?.["others"], 2);
    await agents.allReady(30_000, ({ address }) => fleet.relayAt(address).name === "eu-2");
    await probing;
    assert.deepEqual(failed, []);
    const moved = agents.ready().get(old.agent);
    assert.equal(moved?.moved, old.address, "the new address is told");
    assert.equal((await again()).ok, true, "the pair at the old relay lives");
    await until(20_000, "the drained relay has no session", async () => {
      const relay = await seen(fleet, drained.id());
      return relay?.state === "draining" && relay["leases"] === 0 ? true : undefined;
    });
    for (const { address } of agents.ready().values()) assert.equal((await prober.probe(address)).ok, true);
  },
);

test(
  "a killed relay that is back in time changes nothing; one that stays away loses its sessions to others",
  { skip, timeout },
  async () => {
    await using fleet = await openFleet();
    const { prober } = fleet;
    await using agents = await fleet.expose(30, { region: "eu" });
    const before = new Map(agents.ready());
    const one = fleet.relay("eu-1");
    const some = agentAt(fleet, before, "eu-1");
    await one.killHard();
    await one.start();
    await until(30_000, "the returned relay serves", async () =>
      (await prober.probe(some.address, 2_000)).ok ? true : undefined,
    );
    await delay(9_000); // What would move would have moved by then.
    assert.deepEqual(new Map(agents.ready()), before, "nobody moved");

    const killed = Date.now(); // Before it: the agents may notice sooner than this process hears of its end.
    await one.killHard();
    await agents.allReady(60_000, ({ address }) => fleet.relayAt(address).name === "eu-2");
    const lastAt = Math.max(...[...agents.ready().values()].map(({ at }) => at)) - killed;
    assert.ok(lastAt >= 8_000, `not before the relay had its time (${lastAt} ms)`);
    for (const { address } of agents.ready().values()) assert.equal((await prober.probe(address)).ok, true);
    await one.start();
    await until(30_000, "no session is at the returned relay", async () => {
      const relay = await seen(fleet, one.id());
      return relay?.state === "up" && relay["leases"] === 0 ? true : undefined;
    });
  },
);

test(
  "with two relays of one port the loss of one turns no client of the other away",
  { skip, timeout },
  async () => {
    await using fleet = await openFleet();
    await using agents = await fleet.expose(5, { relays: 2 });
    for (const { addresses } of agents.ready().values()) {
      assert.equal(new Set(addresses.map((address) => address.split(":")[1])).size, 1, "one port");
      assert.equal(new Set(addresses.map((address) => fleet.relayAt(address).region)).size, 2, "two regions");
    }
    const [first] = agents.ready().values();
    const [lost = "", kept = ""] = first?.addresses ?? [];
    const dying = fleet.relayAt(lost);
    await until(10_000, "both serve", async () =>
      (await fleet.prober.probe(lost)).ok && (await fleet.prober.probe(kept)).ok ? true : undefined,
    );
    await dying.killHard();
    for (const end = Date.now() + 12_000; Date.now() < end;)
      assert.equal((await fleet.prober.probe(kept)).ok, true);
    await agents.allReady(60_000, ({ addresses }) => addresses.every((one) => fleet.relayAt(one) !== dying));
    for (const { addresses } of agents.ready().values()) {
      assert.equal(addresses.length, 2);
      for (const address of addresses) assert.equal((await fleet.prober.probe(address)).ok, true);
    }
  },
);

test(
  "a relay that only the control plane has lost serves on, and nothing moves",
  { skip, timeout },
  async () => {
    await using fleet = await openFleet();
    await using agents = await fleet.expose(20, { region: "eu" });
    const before = new Map(agents.ready());
    const relay = fleet.relay("eu-1");
    const some = agentAt(fleet, before, "eu-1");
    // Refused rather than dropped, so that the control plane notices at once.
    const rule = `INPUT -p tcp -s ${fleet.control.address} -j REJECT --reject-with tcp-reset`;
    await relay.machine.iptables(`-I ${rule}`);
    await until(70_000, "the relay is lost for the control plane", async () => {
      return (await seen(fleet, relay.id()))?.state === "gone" ? true : undefined;
    });
    for (const end = Date.now() + 12_000; Date.now() < end;)
      assert.equal((await fleet.prober.probe(some.address)).ok, true);
    assert.deepEqual(new Map(agents.ready()), before, "nobody moved");
    await relay.machine.iptables(`-D ${rule}`);
    await until(60_000, "the relay is back", async () => {
      return (await seen(fleet, relay.id()))?.state === "up" ? true : undefined;
    });
    assert.deepEqual(new Map(agents.ready()), before);
  },
);

test("an agent that cannot reach its relay is given another one", { skip, timeout }, async () => {
  await using fleet = await openFleet();
  await using agents = await fleet.expose(20, { region: "eu" });
  const relay = fleet.relay("eu-1");
  agentAt(fleet, agents.ready(), "eu-1");
  const heal = await fleet.partition(relay.machine, fleet.agentRouter);
  await agents.allReady(150_000, ({ address }) => fleet.relayAt(address).name === "eu-2");
  for (const { address } of agents.ready().values())
    assert.equal((await fleet.prober.probe(address)).ok, true);
  await heal();
});

test(
  "while the control plane is away pairs live and clients are served; its return moves nothing",
  { skip, timeout },
  async () => {
    await using fleet = await openFleet();
    const { prober } = fleet;
    await using agents = await fleet.expose(20);
    const before = new Map([...agents.ready()].map(([agent, { address }]) => [agent, address]));
    const [address = ""] = before.values();
    const again = await prober.hold(address);
    await fleet.killControl();
    for (const end = Date.now() + 15_000; Date.now() < end;) {
      for (const one of new Set(before.values())) assert.equal((await prober.probe(one)).ok, true);
      assert.equal((await again()).ok, true);
    }
    await fleet.startControl();
    await until(60_000, "everybody is back", async () => {
      const relays = await fleet.rdv("relays", "ls");
      const sessions = await fleet.rdv("sessions", "ls");
      const isBack =
        relays.every(({ state }) => state === "up") && sessions.every(({ state }) => state === "live");
      return isBack ? true : undefined;
    });
    for (const session of await fleet.rdv("sessions", "ls"))
      assert.equal(session.address, before.get(Number(session.name?.slice(6))), "its address is the old one");
    assert.equal((await again()).ok, true);
    for (const one of new Set(before.values())) assert.equal((await prober.probe(one)).ok, true);
  },
);

/** What the operator sees of a relay. */
async function seen(fleet: Fleet, id: string): Promise<RdvEvent | undefined> {
  return (await fleet.rdv("relays", "ls")).find((relay) => relay["id"] === id);
}
