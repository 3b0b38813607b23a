import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { loadSecrets } from "../../embedded/secrets.ts";
import { lockState } from "../../state/lock.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

test("a state directory has one holder at a time", async () => {
  await using dir = await createTempDir();
  {
    using _held = lockState(dir.path);
    assert.throws(() => lockState(dir.path), { code: "state_locked" });
  }
  lockState(dir.path)[Symbol.dispose]();
});

test("the lock of a process that was killed is free at once", async () => {
  await using dir = await createTempDir();
  const module = JSON.stringify(new URL("../../state/lock.ts", import.meta.url).href);
  const script = `const { lockState } = await import(${module}); globalThis.held = lockState(process.argv[1]); process.send("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, dir.path], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  assert.throws(() => lockState(dir.path), { code: "state_locked" });
  child.kill("SIGKILL");
  await once(child, "exit");
  lockState(dir.path)[Symbol.dispose]();
});

test("secrets are made once, kept, and readable by their owner alone", async () => {
  await using dir = await createTempDir();
  const first = loadSecrets(dir.path);
  assert.match(first.ownerToken, /^rdv_admin_[\w-]{43}$/);
  assert.deepEqual(loadSecrets(dir.path), first);
  assert.equal((await stat(join(dir.path, "secrets.json"))).mode & 0o777, 0o600);
});
