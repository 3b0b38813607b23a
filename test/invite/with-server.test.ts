import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { untilListening } from "../fixtures/listeners.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { describe } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { runRdv, startPlainRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";
import { invite } from "./invited.ts";
import { isLike, startScreen, takeSnapshot } from "./screens.ts";
import type { Color } from "./screens.ts";

const skip = skipWithout("Xvfb", "xsetroot", "x11vnc", "vncsnapshot", "djpeg", "setpriv");
const green: Color = [16, 160, 48];
let up: Up;
before(async () => void (up = await startUp()));
after(async () => await up[Symbol.asyncDispose]());

test("rdv join --with-server shows the screen to who has the password, until the end", { skip }, async () => {
  await using screen = await startScreen("Xvfb", ["-screen", "0", "320x240x24"], green);
  await using ports = await claimPorts();
  for (const end of ["the inviter ends it", "SIGKILL"] as const) {
    await using stranger = await createTempDir();
    const temp = join(stranger.path, "tmp");
    await mkdir(temp);
    const port = ports.port(0);
    await using invited = await invite(up.place, "vnc");
    const args = ["join", invited.url, "--yes", "--with-server", "--target", `localhost:${port}`];
    const env = { DISPLAY: screen.display, TMPDIR: temp };
    await using joined = startPlainRdv(args, { stateDir: stranger.path, env });
    await joined.says("ready:");
    assert.match(joined.output().stderr, /with +rdv; x11vnc shows them this screen/);
    const password = /they need the password +([0-9a-z]{8})$/m.exec(joined.output().stderr)?.[1] ?? "";
    await invited.rdv.event("ready");
    assert.ok(isLike(await takeSnapshot(invited.port, password), green), "the color of that screen");
    await assert.rejects(takeSnapshot(invited.port, "00000000"), /vncsnapshot/);
    await assert.rejects(takeSnapshot(invited.port), /vncsnapshot/);
    assert.ok(!everyCommandLine().includes(password), "no command line tells the password");
    const { stdout, stderr } = invited.rdv.process.output();
    assert.ok(!(stdout + stderr).includes(password), "nor does anything tell it to the inviter");
    for (const folder of await readdir(temp))
      assert.deepEqual(await readdir(join(temp, folder)), [], "the password's file is gone");

    if (end === "SIGKILL") joined.kill("SIGKILL");
    else invited.rdv.interrupt();
    assert.equal((await ended(joined)).code, end === "SIGKILL" ? null : 0);
    await untilListening(port, false);
    if (end !== "SIGKILL") assert.deepEqual(await readdir(temp), []);
  }
});

test("a server that answers already is used as it is", { skip }, async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using invited = await invite(up.place, "vnc");
  const args = ["join", invited.url, "--yes", "--with-server", "--target", `127.0.0.1:${echo.port}`];
  await using joined = startPlainRdv(args, { stateDir: stranger.path, env: { DISPLAY: ":nowhere" } });
  await joined.says("ready:");
  assert.match(joined.output().stderr, /A server answers at 127\.0\.0\.1:\d+ already/);
  assert.doesNotMatch(joined.output().stderr, /password/);
});

test("where no screen can be shared it says why, and the code is not used", { skip }, async () => {
  await using stranger = await createTempDir();
  await using ports = await claimPorts();
  await using screen = await invite(up.place, "vnc");
  await using shell = await invite(up.place, "ssh");
  const local = `localhost:${ports.port(0)}`;
  const cases = [
    [shell.url, local, { DISPLAY: ":1" }, 2, /--with-server is for vnc, and they ask for localhost/],
    [screen.url, "192.0.2.1:5900", { DISPLAY: ":1" }, 2, /192\.0\.2\.1:5900 is another machine's/],
    [screen.url, local, { DISPLAY: "" }, 1, /no screen to share: DISPLAY is not set/],
    [screen.url, local, { DISPLAY: ":1", PATH: "/nowhere" }, 1, /x11vnc is not here: install it/],
    [screen.url, local, { DISPLAY: ":987" }, 1, /x11vnc does not show the screen: XOpenDisplay failed/],
  ] as const;
  for (const [url, target, env, exit, says] of cases) {
    const args = ["join", url, "--yes", "--with-server", "--target", target];
    const { code, stderr } = await runRdv(args, { stateDir: stranger.path, env });
    assert.equal(code, exit, stderr);
    assert.match(stderr, says);
  }
  const details = await runRdv(["join", screen.url], { stateDir: stranger.path });
  assert.match(details.stderr, /asks to reach a service/, "still to be used");
});

async function ended(joined: Running): Promise<{ readonly code: number | null }> {
  return await within(20_000, joined.exited, () => describe("rdv join", joined));
}

/** What any user of this machine can see of its processes. */
function everyCommandLine(): string {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.map(commandLine).join("\n");
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // It has ended.
  }
}
