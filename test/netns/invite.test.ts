import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import { run, runOk, startProcess } from "../fixtures/processes.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { copyBothWays } from "./copy-both-ways.ts";
import { openScene } from "./scene.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh", "scp", "ssh-keygen", "curl", "nc");

test(
  "two people behind NATs of their own: one pastes a line, the other has a shell on that machine",
  { skip },
  async () => {
    await using scene = await openScene();
    const { agent: helped, client: helper, server, network, control, token, folder } = scene;
    await using sshd = await startSshd({ prefix: helped.prefix, host: "0.0.0.0", port: 22 });
    await helped.iptables(`-A INPUT -i ${uplink} -p tcp --syn -m comment --comment dialled`);
    const inviter = { prefix: helper.prefix, stateDir: join(folder, "helper"), env: { RDV_TOKEN: token } };
    await using inviting = startRdv(["invite", "ssh", "--insecure", "--control", control], inviter);
    const { line, url, address = "", allow } = await inviting.event("invited");
    assert.equal(line, `curl -fsSL ${String(url)} | sh`);
    assert.ok(String(url).startsWith(`http://${server.address}:`), "others can use the address");
    assert.deepEqual(allow, [scene.clientRouter.address], "the helper's NAT alone may connect");

    const pasted = line.replace("| sh", "| sh -s -- --yes");
    await using joined = startProcess("sh", ["-c", pasted], { ...helped, cwd: folder });
    await joined.says("ready:", 30_000);
    const who = await inviting.event("joined");
    assert.equal(who["ip"], scene.routers[0]?.address, "the control plane sees the NAT of the helped person");
    assert.equal(who["hostKey"], sshd.hostKey, "ready for known_hosts");
    await inviting.event("ready");

    const [host = "", port = ""] = address.split(":");
    const reached = { host, port: Number(port) };
    const ssh = [...sshd.options(reached.port), sshd.login(host), "echo hello"];
    assert.equal(await runOk(requireTool("ssh"), ssh, helper), "hello\n");
    await copyBothWays({ ...scene, sshd }, reached, 5_000_000);
    assert.equal(await helped.packets("dialled"), 0, "nobody has dialled the helped machine");

    const passerBy = await network.internet.host();
    const { stdout } = await run(requireTool("nc"), ["-w", "3", host, port], { ...passerBy, ms: 20_000 });
    assert.equal(stdout, "", "who is not on the allow-list hears nothing, not even sshd's greeting");

    inviting.interrupt();
    assert.equal(await inviting.exitCode(), 130);
    assert.equal((await joined.exited).code, 0);
    assert.equal((await run(requireTool("nc"), ["-z", "-w", "3", host, port], helper)).code, 1);
  },
);
