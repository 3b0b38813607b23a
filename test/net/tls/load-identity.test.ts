import assert from "node:assert/strict";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { loadIdentity } from "../../../net/tls/load-identity.ts";
import { runOk } from "../../fixtures/processes.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const module = JSON.stringify(new URL("../../../net/tls/load-identity.ts", import.meta.url).href);
/** Waits for the moment in its argument, so that all of them come at once. */
const script = `const { loadIdentity } = await import(${module});
while (Date.now() < Number(process.argv[2]));
console.log(loadIdentity(process.argv[1]).fingerprint);`;

test("processes that come at once get one key, which is kept for this user alone with nothing beside it", async () => {
  await using folder = await createTempDir();
  const path = join(folder.path, "new", "identity.pem");
  const moment = String(Date.now() + 2_000);
  const args = ["--input-type=module", "-e", script, path, moment];
  const seen = await Promise.all(
    Array.from({ length: 6 }, async () => (await runOk(process.execPath, args)).trim()),
  );
  assert.deepEqual([...new Set(seen)], [loadIdentity(path).fingerprint]);
  assert.deepEqual(await readdir(join(folder.path, "new")), ["identity.pem"]);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("a key with a certificate of another one is told at once, and not by the first client", async () => {
  await using folder = await createTempDir();
  const path = join(folder.path, "identity.pem");
  await writeFile(path, createIdentity().key + createIdentity().cert, { mode: 0o600 });
  assert.throws(() => loadIdentity(path), { code: "failed", message: /holds no key with its certificate/ });
});
