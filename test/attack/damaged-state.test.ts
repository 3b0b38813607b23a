import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { lockState } from "../../embedded/state-lock.ts";
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
    await writeFile(join(dir.path, name), randomBytes(5_000));
    await assert.rejects(
      async () => await open(dir.path),
      (error) => error instanceof RdvError && error.message.includes(join(dir.path, name)),
    );
  });

test("a command that meets the system's refusal says so in one line, without a stack", async () => {
  await using dir = await createTempDir();
  await mkdir(join(dir.path, "secrets.json"));
  const args = ["up", "--control-port", "0", "--relay-port", "0", "--ports", "23100-23110"];
  const { code, stdout, stderr } = await runRdv(args, { stateDir: dir.path });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^rdv: EISDIR[^\n]*\n$/);
});

test("relays that start at once on one directory get one id, and leave nothing else there", async () => {
  await using dir = await createTempDir();
  const ids = await Promise.all(Array.from({ length: 10 }, () => loadRelayId(dir.path)));
  assert.equal(new Set(ids).size, 1);
  assert.deepEqual(await readdir(dir.path), ["relay-id"]);
  await rm(join(dir.path, "relay-id"));
  assert.notEqual(await loadRelayId(dir.path), ids[0]);
});
