import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { describe, runOk, startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { startEcho } from "../fixtures/services.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";
import { invite } from "./invited.ts";

const skip = skipWithout("sshd", "ssh", "curl", "socat", "setpriv");

test(
  "somebody pastes the line, is asked, and the inviter logs in to their machine by ssh",
  { skip },
  async () => {
    await using sshd = await startSshd();
    await using up = await startUp();
    await using stranger = await createTempDir();
    await using invited = await invite(up.place, sshd.port, "--as", "Anna");
    assert.match(invited.code, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
    assert.equal(invited.line, `curl -fsSL ${invited.url} | sh`);

    const pasted = invited.line.replace("| sh", "| sh -s -- --yes");
    await using joined = startProcess("sh", ["-c", pasted], { cwd: stranger.path });
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

test(
  "the same person may paste the line again, another machine may not, and each program joins for real",
  { skip },
  async () => {
    await using echo = await startEcho();
    await using up = await startUp();
    await using invited = await invite(up.place, echo.port);
    const input = await (await fetch(invited.url)).text();
    const paste = (method: string, prefix: readonly string[] = []): Running =>
      startProcess("sh", ["-s", "--", "--yes"], {
        prefix,
        input,
        env: { ...process.env, RDV_METHOD: method },
      });
    for (const [index, method] of ["node", "python3", "perl", "socat"].entries()) {
      await using joined = paste(method);
      await invited.rdv.event("joined", { method, times: index + 1 });
      await joined.says("ready:");
      const answer = await within(15_000, ask(invited.port, method), () => describe(method, joined));
      assert.equal(answer.bytes.toString(), method);
      await joined.says("closed: 127.0.0.1:");
    }
    // Another user of this machine is somebody else.
    await using other = paste("python3", [requireTool("setpriv"), "--reuid", "65534"]);
    const { code } = await within(15_000, other.exited, () => describe("another user", other));
    assert.equal(code, 1);
    assert.match(
      other.output().stderr,
      /rdv: the invitation was refused: Another machine has used this invitation; ask for a new one/,
    );
  },
);
