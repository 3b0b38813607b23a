import assert from "node:assert/strict";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { resolveCredentials, stateDirectory, writeCredentials } from "../../cli/credentials.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

test("a flag beats the environment, and the environment beats the stored credentials", async () => {
  await using dir = await createTempDir();
  writeCredentials(dir.path, { control: "http://stored", token: "stored" });
  const env = { RDV_CONTROL: "http://env/", RDV_TOKEN: "env" };
  const stateDir = dir.path;
  assert.deepEqual(resolveCredentials({ stateDir }, {}), { control: "http://stored", token: "stored" });
  assert.deepEqual(resolveCredentials({ stateDir }, env), { control: "http://env", token: "env" });
  assert.deepEqual(resolveCredentials({ stateDir, control: "http://flag", token: "flag" }, env), {
    control: "http://flag",
    token: "flag",
  });
});

test("the stored token is never sent to another control plane", async () => {
  await using dir = await createTempDir();
  writeCredentials(dir.path, { control: "http://stored", token: "secret" });
  assert.throws(() => resolveCredentials({ stateDir: dir.path, control: "http://other" }, {}), {
    code: "unauthorized",
  });
});

test("stored credentials are readable by their owner alone", async () => {
  await using dir = await createTempDir();
  const path = writeCredentials(join(dir.path, "new"), { control: "http://stored", token: "secret" });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(dir.path, "new"))).mode & 0o777, 0o700);
});

test("without any credentials, and with damaged ones, the error says what to do", async () => {
  await using dir = await createTempDir();
  assert.throws(() => resolveCredentials({ stateDir: dir.path }, {}), /rdv up/);
  await writeFile(join(dir.path, "credentials.json"), "{", { mode: 0o600 });
  assert.throws(() => resolveCredentials({ stateDir: dir.path }, {}), /damaged/);
  await rm(join(dir.path, "credentials.json"));
  await mkdir(join(dir.path, "credentials.json"));
  assert.throws(() => resolveCredentials({ stateDir: dir.path }, {}), {
    code: "failed",
    message: /cannot use .*credentials\.json: it is no regular file; move it away/,
  });
  assert.throws(() => writeCredentials(dir.path, { control: "http://stored", token: "secret" }), {
    code: "failed",
    message: /cannot write .*credentials\.json: EISDIR.*--state-dir/,
  });
  assert.deepEqual(await readdir(dir.path), ["credentials.json"], "nothing half written stays");
});

test("the state directory follows the flag, then RDV_STATE_DIR, then XDG_STATE_HOME", () => {
  assert.equal(stateDirectory({ stateDir: "/a" }, { RDV_STATE_DIR: "/b" }), "/a");
  assert.equal(stateDirectory({}, { RDV_STATE_DIR: "/b", XDG_STATE_HOME: "/c" }), "/b");
  assert.equal(stateDirectory({}, { XDG_STATE_HOME: "/c" }), "/c/rdv");
});
