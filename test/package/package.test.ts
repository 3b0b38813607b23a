import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { ask } from "../fixtures/clients.ts";
import { run, startProcess } from "../fixtures/processes.ts";
import { createUpPlace } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { within } from "../fixtures/within.ts";
import { version } from "../../protocol/version.ts";
import { installPackage } from "./installed.ts";
import type { Installed } from "./installed.ts";

const most = 15_000_000;
const shipped =
  /^(bin\/rdv\.js|dist\/(protocol|net|control|relay-node|agent|embedded|cli)\/[\w./-]+\.js|docs\/[\w./-]+|[A-Z]+(\.md)?|package\.json)$/;
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

  await t.test("brings few packages and less than 15 MB", async () => {
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
