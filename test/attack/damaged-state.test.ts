import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { lockState } from "../../state/lock.ts";
import { loadSecrets } from "../../embedded/secrets.ts";
import { openDatabase } from "../../embedded/host/database.ts";
import { RdvError } from "../../protocol/errors.ts";
import { loadRelayId } from "../../relay-node/relay-id.ts";
import { runRdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

const openers: Readonly<Record<string, (dir: string) => unknown>> = {
  "lock.db": (dir) => lockState(dir),
  "secrets.json": (dir) => loadSecrets(dir),
  "control.db": (dir) => openDatabase(join(dir, "control.db")),
  "relay-id": (dir) => loadRelayId(dir),
};

for (const [name, open] of Object.entries(openers))
  test(`a damaged ${name} is an error that names the file`, async () => {
    await using dir = await createTempDir();
    await writeFile(join(dir.path, name), randomBytes(5_000), { mode: 0o600 });
    await assert.rejects(
      async () => await open(dir.path),
      (error) => error instanceof RdvError && error.message.includes(join(dir.path, name)),
    );
  });

test("a control.db that a newer program wrote is left alone, and the error says which version wants it", async () => {
  await using dir = await createTempDir();
  const path = join(dir.path, "control.db");
  openDatabase(path)[Symbol.dispose]();
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 1000");
  newer.close();
  assert.throws(
    () => openDatabase(path),
    (error) => error instanceof RdvError && /newer rdv \(format 1000, .*--state-dir/.test(error.message),
  );
  const kept = new DatabaseSync(path);
  assert.equal(kept.prepare("PRAGMA user_version").get()?.["user_version"], 1000);
  kept.close();
});

test("a relay is refused a state directory that another one uses: both would have one id", async () => {
  await using dir = await createTempDir();
  using _held = lockState(dir.path);
  const place = ["--region", "eu", "--host", "127.0.0.1", "--public-host", "127.0.0.1", "--port", "0"];
  const { code, stderr } = await runRdv(["relay", ...place], {
    stateDir: dir.path,
    env: { RDV_CONTROL: "http://127.0.0.1:9", RDV_TOKEN: "rdv_admin_0123456789abcdef" },
  });
  assert.equal(code, 1);
  assert.match(stderr, /^rdv: another rdv uses [^\n]*--state-dir[^\n]*\n$/);
});

test("doctor goes on where credentials and key are damaged, and says so", async () => {
  await using dir = await createTempDir();
  for (const name of ["credentials.json", "identity.pem"])
    await writeFile(join(dir.path, name), "{", { mode: 0o600 });
  const { code, stdout } = await runRdv(["doctor"], { stateDir: dir.path });
  assert.equal(code, 1);
  assert.match(stdout, /^fail {2}configuration [^\n]*credentials\.json is damaged/m);
  assert.match(stdout, /^fail {2}state [^\n]*identity\.pem holds no key/m);
  assert.match(stdout, /checks failed[^\n]*\n$/);
});

test("a directory where a file should be is named in one line, without a stack", async () => {
  await using dir = await createTempDir();
  await mkdir(join(dir.path, "secrets.json"));
  const args = ["up", "--control-port", "0", "--relay-port", "0", "--ports", "23100-23110"];
  const { code, stdout, stderr } = await runRdv(args, { stateDir: dir.path });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^rdv: cannot use [^\n]*secrets\.json: it is no regular file; move it away\n$/);
});

test("relays that start at once on one directory get one id, and leave nothing else there", async () => {
  await using dir = await createTempDir();
  const ids = await Promise.all(Array.from({ length: 10 }, () => loadRelayId(dir.path)));
  assert.equal(new Set(ids).size, 1);
  assert.deepEqual(await readdir(dir.path), ["relay-id"]);
  await rm(join(dir.path, "relay-id"));
  assert.notEqual(await loadRelayId(dir.path), ids[0]);
});
