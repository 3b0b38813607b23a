import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { sameContent, writeRandomFile } from "../fixtures/random-file.ts";
import { startSshd } from "../fixtures/sshd.ts";
import type { Sshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { startJoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import { eachVariant, secureVariants, skipVariants, variants } from "./variants.ts";

const skip = skipVariants || skipWithout("sshd", "ssh", "scp");

for (const [title, list, identity] of [
  ["ssh works by every method", variants, undefined],
  ["ssh works by those that need openssl for TLS", secureVariants, createIdentity()],
] as const)
  test(`${title}, and Ctrl-C leaves nothing behind`, { skip, concurrency: true }, async (t) => {
    await using sshd = await startSshd();
    await using bench = await startJoinBench(identity ? { tls: identity } : {});
    await using folder = await createTempDir();
    const file = join(folder.path, "original");
    await writeRandomFile(file, 10_000_000);

    await eachVariant(
      t,
      async (variant) => {
        const invited = await bench.invite(`127.0.0.1:${sshd.port}`);
        await using joined = await joinWith(invited, variant);
        await joined.script.says("ready:", 20_000);
        const { stderr } = joined.script.output();
        assert.match(stderr, new RegExp(`with +${variant.method}\\b`), "it says which method it uses");
        assert.equal(
          /interactive use only/.test(stderr),
          !variant.halfClose,
          "it says what the method cannot do",
        );
        assert.deepEqual(
          invited.claims.map((claim) => claim["method"]),
          [variant.method],
        );

        await talk(sshd, invited.clientPort);
        await copyThere(sshd, invited.clientPort, file);
        await fiveAtOnce(sshd, invited.clientPort);
        await joined.script.says("closed: 127.0.0.1:", 10_000);

        await using inside = startProcess(
          requireTool("ssh"),
          [...sshd.options(invited.clientPort), sshd.login(), "echo inside; cat"],
          { keepInput: true },
        );
        await inside.says("inside", 20_000);
        joined.script.kill("SIGINT");
        assert.equal((await inside.exited).code, 255, "who is inside is cut off");
        assert.equal((await joined.script.exited).code, 130);
        await joined.nothingLeft();
      },
      list,
    );
  });

/** A conversation on a terminal, line by line: each answer is awaited before the next line is sent. */
async function talk(sshd: Sshd, port: number): Promise<void> {
  const command = 'stty -echo; echo go; while read -r line; do echo "heard $line"; done';
  await using ssh = startProcess(requireTool("ssh"), ["-tt", ...sshd.options(port), sshd.login(), command], {
    keepInput: true,
  });
  await ssh.says("go", 20_000);
  for (const word of ["one", "two", "three"]) {
    ssh.stdin.write(`${word}\n`);
    await ssh.says(`heard ${word}`, 20_000);
  }
  ssh.stdin.end("\x04"); // End of input on a terminal.
  assert.equal((await ssh.exited).code, 0);
}

async function copyThere(sshd: Sshd, port: number, file: string): Promise<void> {
  const there = `${file}.${port}`;
  await runOk(requireTool("scp"), [...sshd.options(port), file, `${sshd.login()}:${there}`]);
  assert.ok(await sameContent(file, there), "10 MB arrived as they were");
}

/** All five are inside before the first may go: none waits for another to end. */
async function fiveAtOnce(sshd: Sshd, port: number): Promise<void> {
  await using clients = new AsyncDisposableStack();
  const five = ["a", "b", "c", "d", "e"].map((name) => ({
    name,
    ssh: clients.use(
      startProcess(requireTool("ssh"), [...sshd.options(port), sshd.login(), `echo in-${name}; cat`], {
        keepInput: true,
      }),
    ),
  }));
  await Promise.all(five.map(async ({ name, ssh }) => await ssh.says(`in-${name}`, 20_000)));
  for (const { name, ssh } of five) ssh.stdin.end(`out-${name}`);
  for (const { name, ssh } of five) {
    assert.equal((await ssh.exited).code, 0);
    assert.equal(ssh.output().stdout, `in-${name}\nout-${name}`);
  }
}
