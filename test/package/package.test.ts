import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { ask } from "../fixtures/clients.ts";
import { run, startProcess } from "../fixtures/processes.ts";
import { createUpPlace, startUp } from "../fixtures/rendezvous.ts";
import { startEcho, startService } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { within } from "../fixtures/within.ts";
import { invite } from "../invite/invited.ts";
import { joinWith } from "../join/joined.ts";
import { skipWithoutPrograms } from "../join/programs.ts";
import type { Programs } from "../join/programs.ts";
import { version } from "../../protocol/version.ts";
import { installPackage } from "./installed.ts";
import type { Installed } from "./installed.ts";

const skipNpx = skipWithoutPrograms("npx", "dash", "curl");
const most = 17_000_000;
const shipped =
  /^(bin\/rdv\.js|dist\/(protocol|state|net|control|relay-node|agent|embedded|cli)\/[\w./-]+\.js|docs\/[\w./-]+|[A-Z]+(\.md)?|package\.json)$/;
/** What builds and tests the project; none of it is a user's concern. */
const unwanted = /^(workerd|wrangler|miniflare|esbuild|typescript|node|knip|oxlint|prettier)$/;

test("the published package", async (t) => {
  await using installed = await installPackage();
  if (!installed) {
    assert.notEqual(process.env["CI"], "true", "no registry answers");
    return t.skip("no registry answers");
  }

  await t.test("holds the compiled command and its papers, nothing else", () => {
    assert.deepEqual(
      installed.files.filter((path) => !shipped.test(path)),
      [],
    );
    for (const path of ["bin/rdv.js", "dist/cli/main.js", "dist/net/kernel/worker.js", "LICENSE"])
      assert.ok(installed.files.includes(path), path);
  });

  await t.test("brings few packages and less than 17 MB", async () => {
    const names = await readdir(installed.modules);
    assert.deepEqual(
      names.filter((name) => unwanted.test(name)),
      [],
    );
    assert.ok((await bytesIn(installed.modules)) < most);
  });

  await t.test("says its version and nothing else", async () => {
    const { code, stdout, stderr } = await run(process.execPath, [installed.command, "--version"]);
    assert.deepEqual([code, stdout, stderr], [0, `${version}\n`, ""]);
  });

  await t.test(
    "is found by the join script through npx, which asks no registry",
    { skip: skipNpx },
    async () => {
      await joinsByNpx(installed);
    },
  );

  const pumps = process.platform === "linux" ? ["kernel", "portable"] : ["portable"];
  for (const pump of pumps)
    await t.test(`carries a client with the ${pump} pump and ends at Ctrl-C without a warning`, async () => {
      await servesAClient(installed, pump);
    });
});

async function servesAClient({ command }: Installed, pump: string): Promise<void> {
  await using echo = await startEcho();
  await using place = await createUpPlace();
  const args = [...place.args, "--json", "--pump", pump, "--expose", String(echo.port)];
  const env = { ...process.env, HOME: place.stateDir, RDV_STATE_DIR: place.stateDir };
  await using up = startProcess(process.execPath, [command, ...args], { env });
  await up.says('"address"');
  const text = "across and back ".repeat(20_000);
  const { bytes, how } = await ask(clientPort(up.output().stdout), text);
  assert.deepEqual([bytes.toString() === text, how], [true, "end"]);
  up.kill("SIGINT");
  const exit = await within(10_000, up.exited, () => "the command ends");
  assert.deepEqual(exit, { code: 130, signal: null });
  assert.doesNotMatch(up.output().stderr, /warn|error/i);
}

/** Where the package is installed `npx` serves with it; elsewhere it has nothing, and node serves. */
async function joinsByNpx({ project }: Installed): Promise<void> {
  await using echo = await startEcho();
  await using registry = await startService();
  await using elsewhere = await createTempDir();
  await using up = await startUp();
  const programs: Programs = {
    shell: "dash",
    tool: { name: "node" },
    others: [{ name: "npx" }, { name: "sh" }],
  };
  const env = { npm_config_registry: `http://127.0.0.1:${registry.port}/` };
  for (const [cwd, says, method] of [
    [project, "uses npx", "rdv"],
    [elsewhere.path, "with   node", "node"],
  ] as const) {
    await using invited = await invite(up.place, echo.port);
    await using joined = await joinWith(invited, programs, { cwd, env });
    await joined.script.says(says, 60_000);
    assert.equal((await invited.rdv.event("joined"))["method"], method);
    await invited.rdv.event("ready");
    assert.equal((await ask(invited.port, "hello")).bytes.toString(), "hello");
    invited.rdv.interrupt();
    assert.equal((await within(20_000, joined.script.exited, () => "the script goes on")).code, 0);
    await joined.nothingLeft();
  }
  assert.equal(registry.accepted(), 0, "requests to the registry");
}

const Ready = z.looseObject({ address: z.string().optional() });

function clientPort(stdout: string): number {
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => Ready.parse(JSON.parse(line)));
  const address = events.find((event) => event.address !== undefined)?.address;
  return Number(address?.split(":").at(-1));
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
