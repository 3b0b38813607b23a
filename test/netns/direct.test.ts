import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Machine, NatKind } from "../fixtures/network.ts";
import { skipWithout } from "../fixtures/tools.ts";
import { openDirectScene } from "./direct-scene.ts";
import type { Connected } from "./direct-scene.ts";
import { withTable } from "./direct-table.ts";
import { askPeer, wholeAnswer } from "./peers.ts";

const skip = skipWithoutNamespaces() || skipWithout("curl", "ip6tables");
const page = join(import.meta.dirname, "../../docs/direct.md");
const kinds: readonly NatKind[] = ["full-cone", "address-restricted", "port-restricted", "symmetric"];

/** More than fits into the sockets' buffers, and it comes after the client's end. */
const answerBytes = 3_000_000;

test(
  "rdv connect goes directly where two NATs allow it, and is served by the relay elsewhere",
  { skip },
  async () => {
    await using scene = await openDirectScene();
    await using held = new AsyncDisposableStack();
    const clients = new Map<NatKind, Machine>();
    for (const kind of kinds) clients.set(kind, await (await scene.internet.nat(kind)).host());
    const seen = new Map<NatKind, ReadonlyMap<NatKind, string>>();
    for (const agentKind of kinds) {
      const machine = await (await scene.internet.nat(agentKind)).host();
      const exposed = held.use(await scene.expose(machine, agentKind));
      const row = [...clients].map(async ([kind, client]) => {
        await using connected = await scene.connect(client, exposed.address);
        return [kind, (await settledPath(client, connected)).path] as const;
      });
      seen.set(agentKind, new Map(await Promise.all(row)));
    }
    const text = await readFile(page, "utf8");
    const wanted = withTable(text, seen);
    if (process.env["RDV_WRITE_DOCS"] === "1") await writeFile(page, wanted);
    else assert.equal(text, wanted, "docs/direct.md says what was seen");
    const metrics = await scene.metrics();
    assert.match(metrics, /^rdv_control_direct_total\{outcome="opened"\} [1-9]/m);
    assert.match(metrics, /^rdv_control_direct_total\{outcome="timed_out"\} [1-9]/m);
    assert.match(metrics, /^rdv_relay_ticketed_clients_total\{direct="symmetric"\} [1-9]/m);
  },
);

test(
  "neighbours behind one NAT meet inside it, and machines without NAT meet at once",
  { skip },
  async () => {
    await using scene = await openDirectScene();
    const office = await scene.internet.nat("symmetric");
    const neighbours = [await office.host(), await office.host()];
    const open = [await scene.internet.host(), await scene.internet.host()];
    for (const [name, machines] of [
      ["office", neighbours],
      ["open", open],
    ] as const) {
      const [agent, client] = machines;
      assert.ok(agent && client);
      await using exposed = await scene.expose(agent, name);
      await using connected = await scene.connect(client, exposed.address);
      const { path, why } = await settledPath(client, connected);
      assert.equal(path, "direct");
      assert.ok(why.includes(agent.address), `${why} names ${agent.address}`);
    }
  },
);

test(
  "machines behind symmetric NATs meet in IPv6, through firewalls that let in answers alone",
  { skip },
  async () => {
    await using scene = await openDirectScene({ ipv6: true });
    const agent = await (await scene.internet.nat("symmetric")).host();
    const client = await (await scene.internet.nat("symmetric")).host();
    await using exposed = await scene.expose(agent, "six");
    await using connected = await scene.connect(client, exposed.address);
    const { path, why } = await settledPath(client, connected);
    assert.equal(path, "direct");
    assert.ok(why.includes(agent.address6), `${why} names ${agent.address6}`);
  },
);

test("with --plain at both ends the bytes go as they are, and a reset stays a reset", { skip }, async () => {
  await using scene = await openDirectScene();
  const agent = await (await scene.internet.nat()).host();
  const client = await (await scene.internet.nat()).host();
  await using exposed = await scene.expose(agent, "plain", "--plain");
  await using connected = await scene.connect(client, exposed.address, "--plain");
  assert.equal((await settledPath(client, connected)).path, "direct");
  assert.equal((await askPeer(client, connected.local, "reset")).how, "ECONNRESET");
  const { bytesOut, outcome } = await connected.rdv.event("closed", {
    path: "direct",
    outcome: "reset_by_agent",
  });
  assert.equal(outcome, "reset_by_agent");
  assert.ok(bytesOut !== undefined);
});

test(
  "one connection over standard input and output goes directly, and ends with its command",
  { skip },
  async () => {
    await using scene = await openDirectScene();
    const agent = await (await scene.internet.nat()).host();
    const client = await (await scene.internet.nat()).host();
    await using exposed = await scene.expose(agent, "stdio");
    const { code, stdout, stderr } = await scene.stdio(
      client,
      exposed.address,
      "late 20\n",
      "--direct",
      "only",
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout.length, 20, stderr);
    assert.match(stderr, /connected path=direct/);
    await exposed.rdv.event("closed", { path: "direct", outcome: "closed" });
  },
);

test(
  "--direct off at either end takes the relay, and --direct only says why it fails",
  { skip },
  async () => {
    await using scene = await openDirectScene();
    const agent = await (await scene.internet.nat()).host();
    const client = await (await scene.internet.nat()).host();
    await using willing = await scene.expose(agent, "willing");
    await using off = await scene.connect(client, willing.address, "--direct", "off");
    assert.equal((await settledPath(client, off)).path, "relay");
    await willing[Symbol.asyncDispose]();

    await using unwilling = await scene.expose(agent, "unwilling", "--direct", "off");
    await using auto = await scene.connect(client, unwilling.address);
    const { path, why } = await settledPath(client, auto);
    assert.equal(path, "relay");
    assert.match(why, /the agent has --direct off/);
    await using only = await scene.connect(client, unwilling.address, "--direct", "only");
    const { how } = await askPeer(client, only.local, "late 10");
    assert.equal(how, "ECONNRESET");
    const failed = await only.rdv.event("failed");
    assert.match(String(failed["error"]), /no direct connection: the agent has --direct off/);
    assert.match(await scene.metrics(), /^rdv_relay_ticketed_clients_total\{direct="agent_off"\} 1$/m);
  },
);

test(
  "when the way between them breaks, ready connections are not used and the relay serves",
  { skip },
  async () => {
    await using scene = await openDirectScene();
    const agentRouter = await scene.internet.nat();
    const agent = await agentRouter.host();
    const clientRouter = await scene.internet.nat();
    const client = await clientRouter.host();
    await using exposed = await scene.expose(agent, "broken");
    await using connected = await scene.connect(client, exposed.address);
    assert.equal((await settledPath(client, connected)).path, "direct");

    await agent.iptables(`-I INPUT -i ${uplink} -s ${clientRouter.address} -j DROP`);
    const { path } = await served(client, connected);
    assert.equal(path, "relay");
    await agent.iptables(`-D INPUT -i ${uplink} -s ${clientRouter.address} -j DROP`);
  },
);

test(
  "an agent that was killed and comes back is met again, and its clients hang nowhere",
  { skip },
  async () => {
    await using scene = await openDirectScene();
    const agent = await (await scene.internet.nat()).host();
    const client = await (await scene.internet.nat()).host();
    await using exposed = await scene.expose(agent, "phoenix");
    await using connected = await scene.connect(client, exposed.address);
    assert.equal((await settledPath(client, connected)).path, "direct");

    await exposed.rdv.killHard();
    await using again = await exposed.again();
    assert.equal(again.address, exposed.address, "the same name and key");
    await served(client, connected);
    assert.equal((await settledPath(client, connected)).path, "direct");
  },
);

/** What `rdv connect` says of a connection. */
interface Way {
  readonly path: string;
  readonly why: string;
}

/** What passes by itself: the first client may come too early, and a busy machine may answer too late. */
const passing = /still being made|did not answer|neither got through|knows nothing|pass the offer on/;

/** Connects until it is clear which way the clients go. */
async function settledPath(client: Machine, connected: Connected): Promise<Way> {
  for (let tries = 1; ; tries += 1) {
    const way = await served(client, connected);
    if (!passing.test(way.why) || tries === 12) return way;
  }
}

/** Has one client served, whole, and gives what `rdv connect` said of it. */
async function served(client: Machine, connected: Connected): Promise<Way> {
  const answer = await askPeer(client, connected.local, `late ${answerBytes}`);
  assert.deepEqual(answer, wholeAnswer(answerBytes));
  const { path, why } = await connected.rdv.event("paired");
  return { path: String(path), why: String(why) };
}
