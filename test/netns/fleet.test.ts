import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { skipWithoutNamespaces } from "../fixtures/network.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { skipWithout } from "../fixtures/tools.ts";
import { copyBothWays } from "./copy-both-ways.ts";
import { exposeSshd, openScene } from "./scene.ts";

const skip = skipWithoutNamespaces() || skipWithout("sshd", "ssh", "scp", "ssh-keygen");

test(
  "a second relay on a machine of its own carries the sessions of its region, and those alone",
  { skip },
  async () => {
    await using scene = await openScene();
    const { network, server, control, token, folder } = scene;
    const machine = await network.internet.host();
    const args = ["relay", "--control", control, "--region", "far", "--public-host", machine.address];
    const options = { prefix: machine.prefix, stateDir: join(folder, "relay"), env: { RDV_TOKEN: token } };
    await using relay = startRdv(args, options);
    await relay.event("ready", { command: "relay" });

    await using far = await exposeSshd(scene, "--name", "far", "--region", "far");
    assert.equal(far.host, machine.address);
    await copyBothWays(scene, far, 1_000_000);
    await using near = await exposeSshd(scene, "--name", "near", "--region", "local");
    assert.equal(near.host, server.address);
    await copyBothWays(scene, near, 1_000_000);
  },
);
