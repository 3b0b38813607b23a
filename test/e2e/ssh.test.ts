import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { describe, run, runOk, startProcess } from "../fixtures/processes.ts";
import { sameContent, writeRandomFile } from "../fixtures/random-file.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";

test("real OpenSSH through rdv", { skip: skipWithout("sshd", "ssh", "scp", "ssh-keygen") }, async (t) => {
  await using sshd = await startSshd();
  await using up = await startUp();
  await using session = await expose(up.place, sshd.port);
  const ssh = requireTool("ssh");
  const options = sshd.options(session.port);

  await t.test("a command's output, its errors and its exit code come back", async () => {
    const finished = await run(ssh, [...options, sshd.login(), "echo out; echo err >&2; exit 37"]);
    assert.deepEqual([finished.stdout, finished.stderr, finished.code], ["out\n", "err\n", 37]);
  });

  await t.test("standard input reaches the remote command up to its end", async () => {
    const input = "line\n".repeat(200_000);
    const counted = await runOk(ssh, [...options, sshd.login(), "cksum"], { input });
    assert.equal(counted, await runOk("cksum", [], { input }));
  });

  await t.test("an interactive shell has a terminal and Ctrl-C reaches the program in it", async () => {
    await using shell = startProcess(ssh, ["-tt", ...options, sshd.login(), "exec sh"], { keepInput: true });
    shell.stdin.write("PS1='next> '; tty; echo started-$((40 + 2))\n");
    await shell.says("started-42");
    assert.match(shell.output().stdout, /\/dev\/(pts|tty)/);
    shell.stdin.write("echo catting-$((1 + 1)); cat; echo interrupted-$?\n");
    await shell.says("catting-2");
    shell.stdin.write("typed into cat\n");
    await shell.says("typed into cat\r\ntyped into cat");
    shell.stdin.write("\u0003");
    await shell.says("^C\r\nnext> "); // What is typed before the shell has handled Ctrl-C is thrown away.
    shell.stdin.end("echo alive-$((2 + 2)); exit 7\n");
    const { code } = await within(
      10_000,
      shell.exited,
      () => `the end of ${describe("the interactive shell", shell)}`,
    );
    assert.match(shell.output().stdout, /alive-4/);
    assert.equal(code, 7);
  });

  await t.test("100 MB go up and come down with scp, the same byte for byte", async () => {
    await using folder = await createTempDir();
    const [original, remote, returned] = ["original", "remote", "returned"].map((name) =>
      join(folder.path, name),
    );
    assert.ok(original && remote && returned);
    await writeRandomFile(original, 100_000_000);
    await runOk(requireTool("scp"), ["-q", ...options, original, `${sshd.login()}:${remote}`]);
    assert.ok(await sameContent(original, remote), "what arrived at the server differs");
    await runOk(requireTool("scp"), ["-q", ...options, `${sshd.login()}:${remote}`, returned]);
    assert.ok(await sameContent(original, returned), "what came back differs");
  });

  await t.test("20 sessions that wait for one another are open at once", async () => {
    await using folder = await createTempDir();
    const gate = join(folder.path, "gate");
    const count = 20;
    const open = Array.from({ length: count }, (_, index) =>
      startProcess(ssh, [
        ...options,
        sshd.login(),
        `echo in-${index}; until [ -e ${gate} ]; do sleep 0.05; done; echo out-${index}`,
      ]),
    );
    await using held = new AsyncDisposableStack();
    for (const one of open) held.use(one);
    await Promise.all(open.map(async (one, index) => await one.says(`in-${index}`, 30_000)));
    await runOk("touch", [gate]);
    const exits = await Promise.all(
      open.map(async (one) => await within(20_000, one.exited, () => "an ssh session's end")),
    );
    assert.deepEqual(
      exits.map(({ code }) => code),
      Array.from({ length: count }, () => 0),
    );
    open.forEach((one, index) => assert.equal(one.output().stdout, `in-${index}\nout-${index}\n`));
  });
});
