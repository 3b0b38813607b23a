import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { privateJoinScript, privatePowershellScript } from "../../control/join/private-script.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { run } from "../fixtures/processes.ts";

const url = "https://rdv.example.org/j/K7Q2X-9FMTR";

test("without rdv the script says what to do, and fails", async () => {
  const { code, stderr } = await run("/bin/sh", [], {
    input: privateJoinScript(url),
    env: { PATH: "/nowhere" },
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /needs rdv itself; install rdv, then:\nrdv: rdv join 'https:\/\/rdv\.example\.org\/j\/K7Q2X-9FMTR'\n$/,
  );
});

for (const [program, words] of [
  ["rdv", "join"],
  ["npx", "--no-install @rdv-relay/cli join"],
] as const)
  test(`an installed rdv takes over, found as ${program}, with the options of the script`, async () => {
    await using folder = await createTempDir();
    const file = join(folder.path, program);
    await writeFile(file, '#!/bin/sh\necho "$npm_config_offline $*"\n');
    await chmod(file, 0o755);
    const options = { input: privateJoinScript(url), env: { PATH: folder.path } };
    const { code, stdout } = await run("/bin/sh", ["-s", "--", "--yes"], options);
    assert.deepEqual([code, stdout], [0, `true ${words} --yes ${url}\n`]);
  });

test("an address that a shell could misread never reaches one", () => {
  for (const bad of [
    "https://a.example/j/x'; reboot; '",
    "https://a.example/j/$(x)",
    "https://a.example/j/a b",
  ])
    for (const script of [privateJoinScript, privatePowershellScript])
      assert.throws(() => script(bad), { code: "internal" });
});
