import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Router } from "../fixtures/network.ts";
import { residentBytes } from "../fixtures/process-tree.ts";
import { runOk } from "../fixtures/processes.ts";
import { runRdv, startRdv } from "../fixtures/rdv.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { copyBothWays } from "./copy-both-ways.ts";
import { startForwardProxy, startReverseProxy } from "./in-between.ts";
import { networksPage } from "./networks-page.ts";
import type { SeenNetwork } from "./networks-page.ts";
import { askPeer, readAnswer, startPeerService, startStoppedReader, wholeAnswer } from "./peers.ts";
import { openPort443Scene } from "./port-443-scene.ts";
import { connectTo, exposeSshd, exposeTarget, openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";

const skip =
  skipWithoutNamespaces() || skipWithout("sshd", "ssh", "scp", "ssh-keygen", "tinyproxy", "nginx", "openssl");

const page = join(import.meta.dirname, "../../docs/networks.md");
const seen: SeenNetwork[] = [];
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** An office whose machines reach nothing but the proxy in it. */
async function openOffice(): Promise<{
  scene: Scene;
  office: Router;
  proxyMachine: Awaited<ReturnType<Router["host"]>>;
}> {
  const scene = await openScene();
  const [office] = scene.routers;
  assert.ok(office);
  const proxyMachine = await office.host();
  await office.iptables(
    `-I FORWARD -s ${scene.agent.address} -m comment --comment outbound -j REJECT`,
    `-I FORWARD -s ${scene.agent.address} -d ${proxyMachine.address} -j ACCEPT`,
  );
  return { scene, office, proxyMachine };
}

test("an office lets nothing out but its proxy: expose, ssh and scp work through it", { skip }, async () => {
  const { scene, office, proxyMachine } = await openOffice();
  await using opened = scene;
  const { client, sshd, server, agent, control, token, folder } = opened;
  await using proxy = await startForwardProxy(proxyMachine, { login: "anna secret" });
  const named = `http://anna:secret@${proxy.address}:${proxy.port}`;
  const variables = { http_proxy: named, HTTPS_PROXY: named };
  await using exposed = await exposeSshd({ ...scene, env: variables });

  const ssh = [...sshd.options(exposed.port), sshd.login(exposed.host), "echo hello"];
  assert.equal(await runOk(requireTool("ssh"), ssh, client), "hello\n");
  await copyBothWays(scene, exposed, 20_000_000);
  assert.ok(proxy.tunnels().includes(`${server.address}:8787`), "the control plane by the proxy");
  assert.ok(proxy.tunnels().includes(`${server.address}:8788`), "the relay by the proxy");
  assert.equal(await office.packets("outbound"), 0, "nothing tried another way");
  assert.ok(!exposed.rdv.process.output().stderr.includes("secret"), "no password in the log");

  await using _service = await startPeerService(client, 7_000);
  const outside = { ...scene, agent: client, folder: join(folder, "outside") };
  await using _away = await exposeTarget(outside, `${client.address}:7000`, "--name", "away");
  await using connected = await connectTo({ ...scene, env: variables }, agent, "away");
  assert.deepEqual(await askPeer(agent, connected.local, `late ${8 * MiB}`), wholeAnswer(8 * MiB));
  assert.equal((await askPeer(agent, connected.local, "reset")).how, "ECONNRESET");
  {
    const inviter = { prefix: client.prefix, stateDir: join(folder, "inviter"), env: { RDV_TOKEN: token } };
    await using inviting = startRdv(
      ["invite", `localhost:${sshd.port}`, "--control", control, "--insecure"],
      inviter,
    );
    const { url } = await inviting.event("invited");
    const invited = { prefix: agent.prefix, stateDir: join(folder, "invited"), env: variables };
    await using _joined = startRdv(["join", String(url), "--yes"], invited);
    const { address = "" } = await inviting.event("ready");
    const [host = "", port] = address.split(":");
    const login = [...sshd.options(Number(port)), sshd.login(host), "echo hello"];
    assert.equal(await runOk(requireTool("ssh"), login, client), "hello\n");
  }
  assert.equal(await office.packets("outbound"), 0, "rdv connect and rdv join went by the proxy, too");
  seen.push({
    network: "a proxy that wants a password, and nothing else",
    set: "`HTTPS_PROXY` (for an http:// control plane `HTTP_PROXY`, too)",
    way: "in a WebSocket in TLS through a tunnel",
    checked: "expose with ssh and scp; connect with a late answer and a reset; join with ssh; wrong password",
  });

  const tried = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const options = {
      prefix: agent.prefix,
      stateDir: join(folder, "other"),
      env: { RDV_TOKEN: token, ...env },
    };
    const { code, stderr } = await runRdv(["sessions", "ls", "--control", control], options);
    assert.equal(code, 1, stderr);
    return stderr;
  };
  const wrong = `http://anna:wrong@${proxy.address}:${proxy.port}`;
  assert.match(
    await tried({ HTTP_PROXY: wrong }),
    /wants a user name and a password \(401\); write HTTP_PROXY=/,
  );
  assert.match(
    await tried({ HTTP_PROXY: `http://${proxy.address}:1` }),
    /The proxy .*:1 of HTTP_PROXY: Cannot reach/,
  );
  assert.match(
    await tried({ HTTP_PROXY: named, NO_PROXY: `${server.address}:8787` }),
    /Cannot reach the control plane/,
  );
});

test(
  "a web server in front of the relay lets WebSockets through alone: the agent comes inside one",
  { skip },
  async () => {
    await using scene = await openScene();
    const { client, sshd, server, agent } = scene;
    // Agents know the relay by its key, so what ends their TLS in its place needs that key.
    const pem = join(scene.folder, "up", "relay-identity.pem");
    await using nginx = await startReverseProxy(server, {
      upstream: `${server.address}:8788`,
      port: 8_080,
      pem,
    });
    await server.iptables(
      `-t nat -A PREROUTING -i ${uplink} -p tcp --dport 8788 -j REDIRECT --to-ports 8080`,
    );
    await using exposed = await exposeSshd(scene);
    assert.match(exposed.rdv.process.output().stderr, /going inside a WebSocket/);
    assert.equal(nginx.output().stdout, "");

    const ssh = [...sshd.options(exposed.port), sshd.login(exposed.host), "echo hello"];
    assert.equal(await runOk(requireTool("ssh"), ssh, client), "hello\n");
    await copyBothWays(scene, exposed, 20_000_000);

    await using service = await startPeerService(agent, 7_000);
    await using peers = await exposeTarget(scene, `${agent.address}:7000`, "--name", "peers");
    const address = `${peers.host}:${peers.port}`;
    assert.deepEqual(await askPeer(client, address, `late ${8 * MiB}`), wholeAnswer(8 * MiB));
    assert.equal((await askPeer(client, address, "reset")).how, "ECONNRESET");

    // Buffers and compiled code that any transfer needs are there from now on.
    assert.deepEqual(await askPeer(client, address, `late ${128 * MiB}`), wholeAnswer(128 * MiB));
    const processes = [scene.up.pid, peers.rdv.pid];
    const before = processes.map(residentBytes);
    await using reader = startStoppedReader(client, address, GiB);
    await service.says("stuck at", 60_000);
    const stuckAt = Number(/stuck at (\d+)/.exec(service.output().stdout)?.[1]);
    assert.ok(stuckAt < GiB / 4, `the service was held back, after ${stuckAt} bytes`);
    const growth = processes.map((pid, index) => (residentBytes(pid) - (before[index] ?? 0)) / MiB);
    assert.ok(
      Math.max(...growth) < 32,
      `relay and agent grew by ${growth.map((mib) => mib.toFixed(1)).join(" and ")} MiB`,
    );
    reader.stdin.end("read\n");
    assert.equal((await reader.exited).code, 0);
    assert.deepEqual(readAnswer(reader.output().stdout), wholeAnswer(GiB));

    await using connected = await connectTo(scene, client, "peers", "--direct", "off");
    assert.deepEqual(await askPeer(client, connected.local, `late ${8 * MiB}`), wholeAnswer(8 * MiB));
    assert.equal((await askPeer(client, connected.local, "reset")).how, "ECONNRESET");
    assert.match(connected.rdv.process.output().stderr, /going inside a WebSocket/);
    seen.push({
      network: "a web server in front of the relay that lets WebSockets through and no other upgrade",
      set: "nothing",
      way: "in a WebSocket in TLS, by itself",
      checked:
        "expose with ssh, scp, a late answer, a reset and 1 GiB for a stopped reader; connect with a late answer and a reset",
    });
  },
);

test(
  "a firewall lets out TCP to port 443 alone, then a proxy that tunnels to port 443 alone",
  { skip },
  async () => {
    await using scene = await openPort443Scene();
    const { agent, office, client, sshd, controlMachine, relayMachine } = scene;
    await office.iptables(
      `-I FORWARD -s ${agent.address} -m comment --comment outbound -j REJECT`,
      `-I FORWARD -s ${agent.address} -p tcp --dport 443 -m comment --comment https -j ACCEPT`,
    );
    const greet = async ({ host, port }: { host: string; port: number }): Promise<string> =>
      await runOk(requireTool("ssh"), [...sshd.options(port), sshd.login(host), "echo hello"], client);
    {
      await using exposed = await exposeSshd(scene);
      assert.equal(await greet(exposed), "hello\n");
      assert.equal(await office.packets("outbound"), 0, "nothing tried another port");
    }
    seen.push({
      network: "a firewall that lets out TCP to port 443 alone",
      set: "nothing; control plane and relay listen on 443",
      way: "in TLS",
      checked: "expose with ssh",
    });
    const proxyMachine = await office.host();
    await using proxy = await startForwardProxy(proxyMachine, { onlyPort: 443 });
    await office.iptables(
      `-D FORWARD -s ${agent.address} -p tcp --dport 443 -m comment --comment https -j ACCEPT`,
      `-I FORWARD -s ${agent.address} -d ${proxyMachine.address} -j ACCEPT`,
    );
    const env = { ...scene.env, HTTPS_PROXY: `${proxy.address}:${proxy.port}` };
    await using exposed = await exposeSshd({ ...scene, env });
    assert.equal(await greet(exposed), "hello\n");
    const tunnels = new Set(proxy.tunnels());
    assert.deepEqual(tunnels, new Set([controlMachine, relayMachine].map(({ address }) => `${address}:443`)));
    assert.equal(await office.packets("outbound"), 0, "nothing tried another way");
    seen.push({
      network: "a proxy that opens tunnels to port 443 alone",
      set: "`HTTPS_PROXY`; control plane and relay listen on 443",
      way: "in a WebSocket in TLS through a tunnel",
      checked: "expose with ssh, an https:// control plane",
    });
  },
);

test("docs/networks.md says what was seen", { skip }, async (context) => {
  if (seen.length < 4) return context.skip("a scene that failed is reported by its own test");
  const wanted = networksPage(seen);
  if (process.env["RDV_WRITE_DOCS"] === "1") await writeFile(page, wanted);
  assert.equal(await readFile(page, "utf8"), wanted);
});
