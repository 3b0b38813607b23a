import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { startEcho } from "../fixtures/services.ts";
import { within } from "../fixtures/within.ts";
import { startJoinBench } from "./bench.ts";
import type { JoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import type { Joined } from "./joined.ts";
import { skipWithoutPrograms } from "./programs.ts";
import type { Programs } from "./programs.ts";

const socat: Programs = { shell: "dash", tool: { name: "socat" } };
const perl: Programs = { shell: "busybox", tool: { name: "perl" } };
const skip = skipWithoutPrograms("dash", "busybox", "socat", "perl", "script", "setsid", "curl");
const ctrlC = "\x03";
let bench: JoinBench;

before(async () => void (bench = await startJoinBench()));
after(async () => await bench[Symbol.asyncDispose]());

test("the person at the terminal is asked, and a no opens nothing", { skip }, async () => {
  const invited = await bench.invite("127.0.0.1:22");
  for (const answer of ["n\n", "\n", "what?\n"]) {
    await using joined = await joinWith(invited, socat, { args: [], terminal: true });
    await joined.script.says("Allow it? [y/N]");
    const { stdout } = joined.script.output();
    for (const fact of [
      "Hélène d’Arc asks",
      "what   127.0.0.1:22",
      `from   127.0.0.1:${invited.clientPort}`,
      "until  2",
      "with   socat",
    ])
      assert.ok(stdout.includes(fact), `it shows ${fact}: ${stdout}`);
    joined.script.stdin.write(answer);
    assert.equal(await exitCode(joined), 1);
    assert.match(joined.script.output().stdout, /not allowed; nothing was opened/);
    await joined.nothingLeft();
  }
  assert.deepEqual(invited.claims, [], "the code was not even used");
});

test("a yes opens the service, each connection is shown, and Ctrl-C leaves nothing", { skip }, async () => {
  await using echo = await startEcho();
  for (const programs of [socat, perl]) {
    const invited = await bench.invite(`127.0.0.1:${echo.port}`);
    await using joined = await joinWith(invited, programs, { args: [], terminal: true });
    await joined.script.says("Allow it? [y/N]");
    joined.script.stdin.write("y\n");
    await joined.script.says("ready:");
    assert.equal((await ask(invited.clientPort, "hello")).bytes.toString(), "hello");
    await joined.script.says("5 bytes in, 5 bytes out");
    assert.match(
      joined.script.output().stdout,
      /opened: (127\.0\.0\.1:\d+)\r\n(?:.*\r\n)*rdv: closed: \1, 5 bytes in/,
    );
    joined.script.stdin.write(ctrlC);
    assert.equal(await exitCode(joined), 130);
    assert.match(joined.script.output().stdout, /stopped; nothing can be reached any more/);
    await joined.nothingLeft();
  }
});

test("without a terminal it refuses unless told", { skip }, async () => {
  const invited = await bench.invite("127.0.0.1:22");
  await using joined = await joinWith(invited, socat, { args: [] });
  assert.equal(await exitCode(joined), 1);
  assert.match(
    joined.script.output().stderr,
    /no terminal to ask on; to agree without being asked: curl -fsSL \S+ \| sh -s -- --yes/,
  );
  assert.deepEqual(invited.claims, []);
  await joined.nothingLeft();
});

test(
  "a second machine is told why it may not join, by curl in the server's own words",
  { skip },
  async () => {
    const invited = await bench.invite("127.0.0.1:22");
    await using first = await joinWith(invited, socat);
    await first.script.says("ready:");
    const elsewhere = { edit: (script: string): string => script.replace("/etc/machine-id", "/dev/null") };
    await using second = await joinWith(invited, socat, elsewhere);
    assert.equal(await exitCode(second), 1);
    assert.match(
      second.script.output().stderr,
      /^rdv: the invitation was refused: Another machine has used this invitation\.$/m,
    );
    await using third = await joinWith(invited, perl, elsewhere);
    assert.equal(await exitCode(third), 1);
    assert.match(third.script.output().stderr, /^rdv: the invitation was refused/m);
    await second.nothingLeft();
    assert.equal(invited.claims.length, 1);
  },
);

test(
  "an agent that is not the one the script was made for is not run, and the code is not used",
  { skip },
  async () => {
    const invited = await bench.invite("127.0.0.1:22");
    for (const programs of [socat, perl]) {
      const edit = (script: string): string => script.replace(/^(sha_\w+)='.{4}/gm, "$1='0000");
      await using joined = await joinWith(invited, programs, { edit });
      assert.equal(await exitCode(joined), 1);
      assert.match(joined.script.output().stderr, /agent\.\w+ is not what this script was made for/);
    }
    assert.deepEqual(invited.claims, []);
  },
);

test("a script that was cut off on its way does nothing", { skip }, async () => {
  const invited = await bench.invite("127.0.0.1:22");
  const whole = await (await fetch(invited.url)).text();
  for (const part of [0.3, 0.6, 0.9, 0.999]) {
    await using joined = await joinWith(invited, socat, { edit: () => whole.slice(0, whole.length * part) });
    await exitCode(joined);
    await joined.nothingLeft();
  }
  assert.deepEqual(invited.claims, []);
});

test("an installed rdv takes over, and a method that is not there is refused", { skip }, async () => {
  const invited = await bench.invite("127.0.0.1:22");
  const folder = await mkdtemp(join(tmpdir(), "rdv-test-"));
  try {
    await writeFile(join(folder, "dash"), '#!/bin/sh\necho "rdv was called: $*"\n');
    await chmod(join(folder, "dash"), 0o755);
    const rdv: Programs = { shell: "dash", tool: { name: "rdv", from: join(folder, "dash") } };
    await using joined = await joinWith(invited, rdv);
    assert.equal(await exitCode(joined), 0);
    assert.equal(joined.script.output().stdout, `rdv was called: join --yes ${invited.url}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
  await using python = await joinWith(invited, socat, { env: { RDV_METHOD: "python3" } });
  assert.equal(await exitCode(python), 1);
  assert.match(python.script.output().stderr, /cannot use python3; install one of: rdv npx node python3/);
  await using odd = await joinWith(invited, socat, { env: { RDV_METHOD: "rm" } });
  assert.equal(await exitCode(odd), 1);
  assert.deepEqual(invited.claims, []);
});

async function exitCode(joined: Joined): Promise<number | null> {
  const { code } = await within(15_000, joined.script.exited, () => JSON.stringify(joined.script.output()));
  return code;
}
