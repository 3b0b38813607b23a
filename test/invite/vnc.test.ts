import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { claimPorts } from "../fixtures/ports.ts";
import { startProcess } from "../fixtures/processes.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { invite } from "./invited.ts";
import { isLike, startScreen, takeSnapshot } from "./screens.ts";
import type { Color } from "./screens.ts";

const skip = skipWithout("Xtigervnc", "Xvfb", "xsetroot", "x11vnc", "vncsnapshot", "djpeg");
const geometry = ["-geometry", "320x240", "-depth", "24"];
const blue: Color = [32, 64, 192];
const green: Color = [16, 160, 48];
let up: Up;
before(async () => void (up = await startUp()));
after(async () => await up[Symbol.asyncDispose]());

test(
  "rdv invite vnc: a viewer sees the desktop that a VNC server shows on the helped machine",
  { skip },
  async () => {
    await using ports = await claimPorts();
    await using stranger = await createTempDir();
    const port = ports.port(0);
    const args = [...geometry, "-rfbport", String(port), "-localhost", "-SecurityTypes", "None"];
    await using _screen = await startScreen("Xtigervnc", args, blue);
    await using invited = await invite(up.place, "vnc");
    const join = ["join", invited.url, "--yes", "--target", `127.0.0.1:${port}`];
    await using _joined = startRdv(join, { stateDir: stranger.path });
    await invited.rdv.event("ready");
    const seen = await takeSnapshot(invited.port);
    assert.ok(isLike(seen, blue), `the color of that desktop, not ${seen.join(" ")}`);
  },
);

test("a VNC server that dials out by itself is the agent of a raw port", { skip }, async () => {
  await using screen = await startScreen("Xvfb", ["-screen", "0", "320x240x24"], green);
  await using invited = await invite(up.place, "vnc", "--raw-from", "127.0.0.1");
  const args = ["-display", screen.display, "-rfbport", "0", "-nopw", "-noshm", "-noipv6", "-forever"];
  await using server = startProcess(requireTool("x11vnc"), [...args, "-connect", invited.raw]);
  await invited.rdv.event("ready");
  const seen = await takeSnapshot(invited.port);
  assert.ok(isLike(seen, green), `the color of that desktop, not ${seen.join(" ")}`);
  server.kill("SIGTERM");
  await server.exited;
});
