import assert from "node:assert/strict";
import { test } from "node:test";
import { startUp } from "../fixtures/rendezvous.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { invite } from "./invited.ts";

const skip = skipWithout("sshd", "ssh", "curl", "socat");

test(
  "somebody pastes the line, is asked, and the inviter logs in to their machine by ssh",
  { skip },
  async () => {
    await using sshd = await startSshd();
    await using up = await startUp();
    await using invited = await invite(up.place, sshd.port, "--as", "Anna");
    assert.match(invited.code, /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
    assert.equal(invited.line, `curl -fsSL ${invited.url} | sh`);

    const pasted = invited.line.replace("| sh", "| sh -s -- --yes");
    await using joined = startProcess("sh", ["-c", pasted]);
    await joined.says("ready:");
    assert.match(joined.output().stderr, /Anna asks to reach a service of this machine/);

    const who = await invited.rdv.event("joined");
    assert.equal(who["ip"], "127.0.0.1");
    assert.ok(who["host"] && who["user"] && who["method"]);
    const ready = await invited.rdv.event("ready");
    assert.equal(ready.address, invited.address);
    const ssh = [...sshd.options(invited.port), sshd.login(), "echo hello from there"];
    assert.equal(await runOk(requireTool("ssh"), ssh), "hello from there\n");

    invited.rdv.interrupt();
    assert.equal(await invited.rdv.exitCode(), 130);
    const { code } = await joined.exited;
    assert.equal(code, 0);
    assert.match(joined.output().stderr, /the inviter has ended the session/);
  },
);
