import assert from "node:assert/strict";
import { test } from "node:test";
import { skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Machine, Router } from "../fixtures/network.ts";
import { run, runOk } from "../fixtures/processes.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { copyBothWays } from "./copy-both-ways.ts";
import { exposeSshd, openScene } from "./scene.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh", "scp", "ssh-keygen", "nc");

/** What hides the agent, seen from the internet: the outermost router first. */
const places: readonly { name: string; hide: (internet: Router) => Promise<readonly Router[]> }[] = [
  { name: "a NAT", hide: async (internet) => [await internet.nat()] },
  { name: "a symmetric NAT", hide: async (internet) => [await internet.nat("symmetric")] },
  {
    name: "a NAT behind a carrier's NAT",
    hide: async (internet) => {
      const carrier = await internet.nat("symmetric");
      return [carrier, await carrier.nat()];
    },
  },
];

for (const { name, hide } of places)
  test(`ssh and scp reach a machine behind ${name} that nobody can dial`, { skip }, async () => {
    await using scene = await openScene(hide);
    const { agent, client, server, sshd, routers } = scene;
    await agent.iptables(`-A INPUT -i ${uplink} -p tcp --syn -m comment --comment dialled`);
    await using exposed = await exposeSshd(scene);
    assert.equal(exposed.host, server.address, "clients dial the relay");

    const ssh = [...sshd.options(exposed.port), sshd.login(exposed.host), "echo hello"];
    assert.equal(await runOk(requireTool("ssh"), ssh, client), "hello\n");
    await copyBothWays(scene, exposed, 20_000_000);

    const outside = routers.map((router) => router.address);
    for (const address of [...outside, agent.address])
      assert.equal(await reaches(client, address, sshd.port), false, `the client can dial ${address}`);
    assert.equal(await agent.packets("dialled"), 0, "connection attempts that reached the agent's machine");
    assert.equal(
      await reaches(routers.at(-1) ?? agent, agent.address, sshd.port, "10"),
      true,
      "its own router can dial it",
    );
    assert.ok((await agent.packets("dialled")) > 0, "the counter counts");
  });

async function reaches(from: Machine, address: string, port: number, seconds = "1"): Promise<boolean> {
  const { code } = await run(requireTool("nc"), ["-z", "-w", seconds, address, String(port)], from);
  return code === 0;
}
