import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { attack } from "../../fixtures/attack.ts";
import { claimPorts } from "../../fixtures/ports.ts";
import { runRdv, startRdv } from "../../fixtures/rdv.ts";
import { startUp } from "../../fixtures/rendezvous.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import type { TempDir } from "../../fixtures/temp-dir.ts";
import { until } from "../../fixtures/within.ts";
import { invite } from "../../invite/invited.ts";

const point = 15;
const from = import.meta.url;

attack({ point, from, title: "somebody reads the output of `rdv up` in a log" }, async () => {
  await using up = await startUp();
  for (const command of ["sessions", "keys", "relays"]) {
    const { stdout, stderr } = await runRdv([command, "ls", "--verbose"], up.place);
    assert.ok(!(stdout + stderr).includes(up.token), command);
  }
  const [ready] = up.rdv.events();
  assert.equal(ready?.credentialsFile, join(up.place.stateDir, "credentials.json"));
  up.rdv.interrupt();
  await up.rdv.exitCode();
  const { stdout, stderr } = up.rdv.process.output();
  assert.match(stdout, /"event":"ready"/);
  assert.ok(!stdout.includes(up.token) && !stderr.includes(up.token), "the owner key is in the output");
  return { tries: 4, answer: "the event names the file that has the key, no output has the key itself" };
});

attack({ point, from, title: "a program that rdv starts looks for the key in its environment" }, async () => {
  await using up = await startUp();
  await using folder = await createTempDir();
  const env = { RDV_CONTROL: up.control, RDV_TOKEN: up.token, DISPLAY: ":99", PATH: await fakes(folder) };
  const place = { stateDir: join(folder.path, "state"), env };
  const spied = async (program: string): Promise<void> => {
    const text = await until(20_000, `${program} runs`, async () => await seenBy(folder, program));
    assert.ok(!text.includes("RDV_TOKEN") && !text.includes(up.token), program);
  };

  const command = ["--json", "--", join(folder.path, "spy"), "{host}"];
  await using inviting = await invite(place, "ssh", "--allow", "127.0.0.0/8", ...command);
  await using _joined = startRdv(["join", inviting.url, "--yes"], place);
  await spied("ssh-keyscan");
  await spied("spy");

  await using ports = await claimPorts();
  await using screen = await invite(up.place, "vnc");
  const shared = ["--with-server", "--target", `127.0.0.1:${ports.port(0)}`];
  await using _shared = startRdv(["join", screen.url, "--yes", ...shared], place);
  await spied("x11vnc");
  return { tries: 3, answer: "rdv's own secrets are taken out before it starts a program" };
});

const spy = '#!/bin/sh\nenv >"$0.seen"\necho PORT=1\n';

/** Programs that write down the environment that they see. */
async function fakes(folder: TempDir): Promise<string> {
  for (const name of ["ssh-keyscan", "spy", "x11vnc"])
    await writeFile(join(folder.path, name), spy, { mode: 0o700 });
  return [folder.path, process.env["PATH"]].join(delimiter);
}

async function seenBy(folder: TempDir, program: string): Promise<string | undefined> {
  const text = await readFile(join(folder.path, `${program}.seen`), "utf8").catch(() => "");
  return text.includes("PATH=") ? text : undefined;
}
