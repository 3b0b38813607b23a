import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Router } from "../fixtures/network.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";
import { limits } from "../../protocol/limits.ts";
import { exposeSshd, openScene } from "./scene.ts";
import type { Exposed } from "./scene.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh", "ssh-keygen");

test(
  "a line that is dead for 3 s cuts nobody: the open session goes on and new ones come",
  { skip },
  async () => {
    await using scene = await openScene();
    await using exposed = await exposeSshd(scene);
    const { client, sshd, routers } = scene;
    const line = [...sshd.options(exposed.port), sshd.login(exposed.host)];
    await using session = startProcess(requireTool("ssh"), [...line, "cat"], { ...client, keepInput: true });
    session.stdin.write("before\n");
    await session.says("before");

    const [router] = routers;
    assert.ok(router);
    await cutLine(router);
    session.stdin.write("during\n");
    await delay(3_000); // The outage itself.
    assert.equal(session.output().stdout, "before\n");
    await mendLine(router);
    await session.says("during", 15_000);
    session.stdin.end("after\n");
    assert.equal((await within(10_000, session.exited, () => "the session's end")).code, 0);
    assert.equal(session.output().stdout, "before\nduring\nafter\n");
    assert.equal(await runOk(requireTool("ssh"), [...line, "echo new"], client), "new\n");
  },
);

test(
  "silent sessions outlive a line that is dead for 20 s, with the kernel pump and in TLS",
  { skip },
  async () => {
    await using scene = await openScene();
    const { client, clientRouter, sshd } = scene;
    await using plain = await exposeSshd(scene, "--name", "plain", "--plain");
    await using secure = await exposeSshd(scene, "--name", "secure");
    const open = (to: Exposed) =>
      startProcess(requireTool("ssh"), [...sshd.options(to.port), sshd.login(to.host), "cat"], {
        ...client,
        keepInput: true,
      });
    await using kernel = open(plain);
    await using portable = open(secure);
    const sessions = [kernel, portable];
    for (const session of sessions) {
      session.stdin.write("before\n");
      await session.says("before");
    }
    const routers = [clientRouter, ...scene.routers];
    await delay(limits.keepAliveMs - 5_000);
    for (const router of routers) await cutLine(router);
    await delay(20_000); // The outage itself, and in it more than the ten probes of one second that Node sends by default.
    for (const router of routers) await mendLine(router);
    for (const session of sessions) {
      session.stdin.end("after\n");
      assert.equal((await within(20_000, session.exited, () => "the session's end")).code, 0);
      assert.equal(session.output().stdout, "before\nafter\n");
    }
  },
);

/** From now on a router drops all that it has to forward over its uplink, both ways. */
async function cutLine(router: Router): Promise<void> {
  await router.iptables(...lineRules.map((rule) => `-I ${rule}`));
}

async function mendLine(router: Router): Promise<void> {
  await router.iptables(...lineRules.map((rule) => `-D ${rule}`));
}

const lineRules = ["-i", "-o"].map((way) => `FORWARD ${way} ${uplink} -j DROP`);
