import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { privateJoinScript } from "../../../control/join/private-script.ts";
import { attack } from "../../fixtures/attack.ts";
import { run } from "../../fixtures/processes.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { startJoinBench } from "../../join/bench.ts";
import { joinWith } from "../../join/joined.ts";
import { requireProgram, skipWithoutPrograms } from "../../join/programs.ts";

/** Where anyone's package called `rdv` may lie when a helped person pastes the line: what npx looks at first. */
const places = {
  "a dependency of the folder's project": async (folder: string, program: string) => {
    await mkdir(join(folder, "node_modules/rdv"), { recursive: true });
    await mkdir(join(folder, "node_modules/.bin"));
    await writeFile(join(folder, "package.json"), "{}");
    await writeFile(join(folder, "node_modules/rdv/package.json"), strangersPackage("run"));
    await symlink(program, join(folder, "node_modules/rdv/run"));
    await symlink("../rdv/run", join(folder, "node_modules/.bin/rdv"));
  },
  "the folder's project itself": async (folder: string, program: string) => {
    await symlink(program, join(folder, "run"));
    await writeFile(join(folder, "package.json"), strangersPackage("run"));
  },
  "a global package": async (folder: string, program: string) => {
    await mkdir(join(folder, "global/lib/node_modules/rdv"), { recursive: true });
    await mkdir(join(folder, "global/bin"));
    await writeFile(join(folder, "global/lib/node_modules/rdv/package.json"), strangersPackage("run"));
    await symlink(program, join(folder, "global/bin/rdv"));
  },
};

attack(
  {
    point: 17,
    title: "a stranger's package called rdv lies where npx looks, on the machine that joins",
    from: import.meta.url,
    options: { skip: skipWithoutPrograms("npx", "dash", "curl") },
  },
  async () => {
    await using bench = await startJoinBench();
    for (const plant of Object.values(places)) {
      await using planted = await createPlanted(plant);
      const invited = await bench.invite("127.0.0.1:9");
      const programs = {
        shell: "dash",
        tool: { name: "node" },
        others: [{ name: "npx" }, { name: "sh" }],
      } as const;
      await using joined = await joinWith(invited, programs, planted.how);
      await joined.script.says("with   node", 60_000);
      assert.equal(existsSync(planted.canary), false, "the script ran it");
      const options = {
        cwd: planted.how.cwd,
        input: privateJoinScript(invited.url),
        env: { ...planted.how.env, PATH: planted.path },
      };
      const alone = await run("/bin/sh", ["-s", "--", "--yes"], options);
      assert.deepEqual([alone.code, existsSync(planted.canary)], [1, false], "the private script ran it");
    }
    return {
      tries: Object.keys(places).length * 2,
      answer: "npx is asked for `@rdv-relay/cli` by name, offline; the stranger's is not run",
    };
  },
);

async function createPlanted(plant: (folder: string, program: string) => Promise<void>) {
  const folder = await createTempDir();
  const [canary, program, cwd, path] = ["canary", "program", "here", "bin"].map((name) =>
    join(folder.path, name),
  ) as [string, string, string, string]; // map keeps the length
  await mkdir(cwd);
  await mkdir(path);
  for (const name of ["npx", "sh"]) await symlink(requireProgram(name), join(path, name));
  await symlink(process.execPath, join(path, "node"));
  await writeFile(program, `#!/bin/sh\n: > '${canary}'\n`);
  await chmod(program, 0o755);
  await plant(cwd, program);
  const env = { npm_config_prefix: join(cwd, "global"), npm_config_cache: join(folder.path, "cache") };
  return {
    canary,
    path,
    how: { cwd, env },
    [Symbol.asyncDispose]: async () => await folder[Symbol.asyncDispose](),
  };
}

function strangersPackage(bin: string): string {
  return JSON.stringify({ name: "rdv", version: "9.9.9", bin: { rdv: bin } });
}
