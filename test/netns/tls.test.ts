import assert from "node:assert/strict";
import { test } from "node:test";
import { skipWithoutNamespaces } from "../fixtures/network.ts";
import { runOk } from "../fixtures/processes.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { exposeSshd, openScene } from "./scene.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh", "ssh-keygen");

test(
  "a relay that others can reach has TLS by itself: no half's request is to be read on the wire",
  { skip },
  async () => {
    await using scene = await openScene();
    const { client, server, sshd } = scene;
    await server.iptables("-A INPUT -p tcp -m string --algo bm --string /v1/agent -m comment --comment read");
    const greet = async (to: { readonly host: string; readonly port: number }): Promise<string> => {
      const ssh = [...sshd.options(to.port), sshd.login(to.host), "echo hello"];
      return await runOk(requireTool("ssh"), ssh, client);
    };
    await using secure = await exposeSshd(scene, "--name", "secure");
    assert.equal(await greet(secure), "hello\n");
    assert.equal(await server.packets("read"), 0, "requests that could be read");
    await using plain = await exposeSshd(scene, "--name", "plain", "--plain");
    assert.equal(await greet(plain), "hello\n");
    assert.ok((await server.packets("read")) > 0, "the counter counts");
  },
);
