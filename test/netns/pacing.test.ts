import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machine } from "../fixtures/network.ts";
import { skipWithoutNamespaces } from "../fixtures/network.ts";
import { startProcess } from "../fixtures/processes.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { exposeSshd, openScene } from "./scene.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh-keygen", "nc", "ss");

test(
  "the pump unpaces the leg to the agent's own machine, and leaves those that cross a network alone",
  { skip },
  async () => {
    await using scene = await openScene();
    const { agent, client, server, sshd } = scene;
    await using exposed = await exposeSshd(scene, "--plain");
    const usual = (await server.run("cat", "/proc/sys/net/ipv4/tcp_congestion_control")).trim();
    assert.notEqual(usual, "reno", "with reno as the default nothing could be told apart");
    await using ssh = startProcess(requireTool("nc"), [exposed.host, String(exposed.port)], {
      prefix: client.prefix,
      keepInput: true,
    });
    await ssh.says("SSH-2.0");

    const toService = ["dport", "=", `:${sshd.port}`];
    assert.deepEqual(await congestionControls(agent, toService), ["reno"]);
    assert.deepEqual(await congestionControls(server, ["sport", "=", `:${exposed.port}`]), [usual]);
    const toRelay = await congestionControls(agent, ["dst", server.address]);
    assert.deepEqual([...new Set(toRelay)], [usual]);
  },
);

/** Of the established connections that `ss` finds by this filter. */
async function congestionControls(machine: Machine, filter: readonly string[]): Promise<string[]> {
  const out = await machine.run(requireTool("ss"), "-tinHO", "state", "established", ...filter);
  return out
    .trim()
    .split("\n")
    .map((line) => /\s(reno|cubic|bbr|dctcp|vegas|westwood)\s/.exec(line)?.[1] ?? `none named in "${line}"`);
}
