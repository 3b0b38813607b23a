import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { configuredKeys } from "../../control/signing-keys.ts";
import { createControlHost } from "../../embedded/host/control-host.ts";
import { silentLog } from "../../net/log.ts";
import { createApi } from "../../protocol/client.ts";
import { run, runOk } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

const root = join(import.meta.dirname, "../..");
const script = (name: string): string => join(root, "deploy", name);
const Secrets = z.strictObject({ RDV_SIGNING_KEY: z.string(), RDV_ADMIN_KEY_HASH: z.string() });

test("the secrets that are made open a control plane to the token that is shown, and to no other", async () => {
  const { code, stdout, stderr } = await run(process.execPath, [script("make-secrets.ts")]);
  assert.equal(code, 0, stderr);
  const token = stderr.trimEnd().split("\n").at(-1) ?? "";
  assert.match(token, /^rdv_admin_[\w-]{43}$/);
  assert.ok(!stdout.includes(token), "the Worker gets the hash alone");
  await using folder = await createTempDir();
  const env = Secrets.parse(JSON.parse(stdout));
  await using control = await createControlHost({
    host: "127.0.0.1",
    port: 0,
    stateDir: folder.path,
    env,
    log: silentLog,
  });
  assert.equal((await createApi({ url: control.url, token }).whoAmI()).key, "root");
  assert.equal((await createApi({ url: control.url }).jwks()).keys.length, 1);
  const other =
    (await run(process.execPath, [script("make-secrets.ts")])).stderr.trimEnd().split("\n").at(-1) ?? "";
  await assert.rejects(createApi({ url: control.url, token: other }).whoAmI(), { code: "unauthorized" });
});

test("a signing key for a rotation is made alone", async () => {
  const key = await runOk(process.execPath, [script("make-secrets.ts"), "--signing-key"]);
  const { RDV_SIGNING_KEY } = Secrets.parse(
    JSON.parse(await runOk(process.execPath, [script("make-secrets.ts")])),
  );
  const env = { RDV_SIGNING_KEY, RDV_SIGNING_KEY_OTHER: key };
  assert.equal(configuredKeys(env).read().published.length, 2);
});

test("the signing key is never written to a terminal", async () => {
  const { stdout } = await run("script", [
    "-qec",
    `${process.execPath} ${script("make-secrets.ts")}`,
    "/dev/null",
  ]);
  assert.match(stdout, /wrangler secret bulk/);
  assert.ok(!stdout.includes("RDV_SIGNING_KEY"));
});

test("the cost page shows what the model computes, and the model follows the prices", async () => {
  const printed = await runOk(process.execPath, [script("cost.ts"), "10000", "100", "2"]);
  assert.ok(
    (await readFile(join(root, "docs/cost.md"), "utf8"))
      .replaceAll(/ +/g, " ")
      .replaceAll(/-{3,}/g, "---")
      .includes(printed.trim()),
  );
  // 10,000 sessions that wake every 5 minutes for 30 days.
  assert.match(printed, /after their agents \| 0\.00 \| 86\.40 \|/);
  // 160.92 million rows, of which 50 million are included, at a dollar a million.
  assert.match(printed, /160\.92 \|\n.*\$110\.92 \|\n/);
  assert.match(await runOk(process.execPath, [script("cost.ts"), "0", "0", "0"]), /\$5\.00 a month/);
  assert.equal((await run(process.execPath, [script("cost.ts"), "many"])).code, 2);
});

test("the Worker is built and has every binding, without a network", async () => {
  await using folder = await createTempDir();
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const out = await runOk(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", folder.path], {
    cwd: root,
    env: { ...process.env, HOME: folder.path, XDG_CONFIG_HOME: folder.path, WRANGLER_SEND_METRICS: "false" },
  });
  for (const name of ["SESSIONS", "RELAYS", "ACCOUNTS", "REGIONS", "INVITATIONS", "GUESSES"])
    assert.match(out, new RegExp(`env\\.${name} `));
});
