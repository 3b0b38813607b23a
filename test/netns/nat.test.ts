import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createNetwork, skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Machine, Router } from "../fixtures/network.ts";
import { run, runOk } from "../fixtures/processes.ts";
import { sameContent, writeRandomFile } from "../fixtures/random-file.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh", "scp", "ssh-keygen", "nc");

/** Where the agent stands, seen from the internet: the routers that hide it, the outermost first. */
const places: readonly {
  name: string;
  open: (internet: Router) => Promise<readonly [Router, ...Router[]]>;
}[] = [
  { name: "a NAT", open: async (internet) => [await internet.nat()] },
  { name: "a symmetric NAT", open: async (internet) => [await internet.nat("symmetric")] },
  {
    name: "a NAT behind a carrier's NAT",
    open: async (internet) => {
      const carrier = await internet.nat("symmetric");
      return [carrier, await carrier.nat()];
    },
  },
];

for (const place of places)
  test(`ssh reaches a machine behind ${place.name} that nobody can dial`, { skip }, async () => {
    await using network = await createNetwork();
    const routers = await place.open(network.internet);
    const outermost = routers[0];
    const innermost = routers.at(-1) ?? outermost;
    const agent = await innermost.host();
    const server = await network.internet.host();
    const client = await (await network.internet.nat()).host();
    await agent.iptables(`-A INPUT -i ${uplink} -p tcp --syn -m comment --comment dialled`);

    await using folder = await createTempDir();
    await using sshd = await startSshd({ prefix: agent.prefix, host: "0.0.0.0" });
    await using up = startRdv(["up", "--host", server.address], {
      prefix: server.prefix,
      stateDir: join(folder.path, "up"),
    });
    const { control = "", token = "" } = await up.event("ready", { command: "up" });
    await using exposed = startRdv(["expose", String(sshd.port), "--control", control], {
      prefix: agent.prefix,
      stateDir: join(folder.path, "agent"),
      env: { RDV_TOKEN: token },
    });
    const { address = "" } = await exposed.event("ready", { command: "expose" });
    assert.ok(address.startsWith(`${server.address}:`), `clients dial the relay, not ${address}`);

    const options = sshd.options(Number(address.split(":")[1]));
    const login = sshd.login(server.address);
    const greeting = await runOk(requireTool("ssh"), [...options, login, "echo hello"], {
      prefix: client.prefix,
    });
    assert.equal(greeting, "hello\n");
    await copyBothWays(folder.path, options, login, client);
    await provesUnreachable(client, [outermost.address, agent.address], sshd.port);
    assert.equal(await agent.packets("dialled"), 0, "connection attempts that reached the agent's machine");
    assert.equal(await reaches(innermost, agent.address, sshd.port), true, "its own router can dial it");
    assert.ok((await agent.packets("dialled")) > 0, "the counter counts");
  });

async function copyBothWays(
  folder: string,
  options: readonly string[],
  login: string,
  client: Machine,
): Promise<void> {
  const [original, remote, returned] = ["original", "remote", "returned"].map((name) => join(folder, name));
  assert.ok(original && remote && returned);
  await writeRandomFile(original, 20_000_000);
  const scp = requireTool("scp");
  await runOk(scp, ["-q", ...options, original, `${login}:${remote}`], client);
  await runOk(scp, ["-q", ...options, `${login}:${remote}`, returned], client);
  assert.ok(await sameContent(original, remote), "what arrived at the server differs");
  assert.ok(await sameContent(original, returned), "what came back differs");
}

async function provesUnreachable(client: Machine, addresses: readonly string[], port: number): Promise<void> {
  for (const address of addresses)
    assert.equal(await reaches(client, address, port), false, `the client can dial ${address}`);
}

async function reaches(from: Machine, address: string, port: number): Promise<boolean> {
  const { code } = await run(requireTool("nc"), ["-z", "-w", "1", address, String(port)], from);
  return code === 0;
}
