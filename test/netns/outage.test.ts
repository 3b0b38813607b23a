import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";
import { exposeSshd, openScene } from "./scene.ts";

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
    await router.iptables(`-I FORWARD -i ${uplink} -j DROP`, `-I FORWARD -o ${uplink} -j DROP`);
    session.stdin.write("during\n");
    await delay(3_000); // The outage itself.
    assert.equal(session.output().stdout, "before\n");
    await router.iptables(`-D FORWARD -i ${uplink} -j DROP`, `-D FORWARD -o ${uplink} -j DROP`);
    await session.says("during", 15_000);
    session.stdin.end("after\n");
    assert.equal((await within(10_000, session.exited, () => "the session's end")).code, 0);
    assert.equal(session.output().stdout, "before\nduring\nafter\n");
    assert.equal(await runOk(requireTool("ssh"), [...line, "echo new"], client), "new\n");
  },
);
