import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { dial } from "../fixtures/clients.ts";
import { run, startProcess } from "../fixtures/processes.ts";
import { runRdv, startPlainRdv } from "../fixtures/rdv.ts";
import { createUpPlace, startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";

const main = join(import.meta.dirname, "../../cli/main.ts");
const skip = process.platform === "linux" ? false : "there is no /dev/full";

test("a standard output that is full is told in one line, and is a failure", { skip }, async () => {
  const { code, stderr } = await run("sh", [
    "-c",
    'exec "$0" "$1" --help >/dev/full',
    process.execPath,
    main,
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /^rdv: cannot write to standard output[^\n]*ENOSPC[^\n]*\n$/);
});

test("a command whose reader has left ends in order: its session is gone with it", async () => {
  await using up = await startUp();
  await using echo = await startEcho();
  await using exposing = startPlainRdv(["expose", String(echo.port), "--name", "unread", "--json"], up.place);
  await exposing.says('"event":"ready"');
  const address = /"address":"127\.0\.0\.1:(\d+)"/.exec(exposing.output().stdout)?.[1];
  exposing.stdout.destroy();
  const client = await dial(Number(address));
  const { code } = await exposing.exited;
  client.destroy();
  assert.equal(code, 0);
  assert.equal((await runRdv(["sessions", "show", "unread"], up.place)).code, 1);
});

test("a log that is full ends nothing", { skip }, async () => {
  await using place = await createUpPlace();
  const args = [...place.args, "--verbose", "--json", "--state-dir", place.stateDir];
  const line = 'exec "$@" 2>/dev/full';
  await using up = startProcess("sh", ["-c", line, "sh", process.execPath, main, ...args]);
  await up.says('"event":"ready"');
  const { code, stderr } = await runRdv(["relays"], place);
  assert.equal(code, 0, stderr);
  up.kill("SIGINT");
  assert.equal((await up.exited).code, 130);
});

test("every command shows the version", async () => {
  await using place = await createUpPlace();
  const whole = await runRdv(["--version"], place);
  assert.deepEqual(await runRdv(["expose", "--version"], place), whole);
});
