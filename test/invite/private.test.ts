import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { runRdv, startPlainRdv, startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { skipWithout } from "../fixtures/tools.ts";
import { invite } from "./invited.ts";

const skip = skipWithout("sshd", "ssh", "ssh-keygen");

let up: Up;
before(async () => void (up = await startUp()));
after(async () => await up[Symbol.asyncDispose]());

test("a private invitation: no public port, and the inviter alone comes in, encrypted from end to end", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using invited = await invite(up.place, echo.port, "--private");
  assert.match(invited.line, /^rdv join http/);
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  const { agentKey } = await joined.event("ready");
  assert.equal((await invited.rdv.event("joined"))["agentKey"], agentKey);
  const { name, address } = await invited.rdv.event("ready", { agentKey });
  assert.equal(address, name, "there is no port");
  const connect = async (to: string) =>
    await runRdv(["connect", to, "--stdio"], { ...up.place, input: "hello" });
  const connected = await connect(`${name}#${String(agentKey)}`);
  assert.deepEqual([connected.code, connected.stdout], [0, "hello"], connected.stderr);
  const another = await connect(`${name}#${"A".repeat(43)}`);
  assert.deepEqual([another.code, another.stdout], [1, ""]);
  assert.equal(echo.spoken(), 1);
});

test("the line that a private invitation for ssh prints opens a shell there", { skip }, async () => {
  await using sshd = await startSshd();
  await using stranger = await createTempDir();
  await using inviting = startPlainRdv(["invite", "ssh", "--private"], up.place);
  await inviting.says("Waiting for them");
  await inviting.says("rdv join http");
  const url = /http\S+/.exec(inviting.output().stdout)?.[0] ?? "";
  const joining = ["join", url, "--yes", "--target", `127.0.0.1:${sshd.port}`];
  await using _joined = startRdv(joining, { stateDir: stranger.path });
  await inviting.says("rdv ssh ");
  const [, who = "", name = ""] = /^rdv ssh (\S+@([^#]+)#[\w-]{43})$/m.exec(inviting.output().stdout) ?? [];
  const knownHosts = `${name} ${sshd.hostKey}`;
  assert.ok(inviting.output().stderr.includes(`  known_hosts  ${knownHosts}\n`));
  const known = join(stranger.path, "known_hosts");
  await writeFile(known, `${knownHosts}\n`);
  // ssh takes the first of several values.
  const options = ["-o", `UserKnownHostsFile=${known}`, ...sshd.options(22)];
  const finished = await runRdv(["ssh", who, ...options, "echo from there"], up.place);
  assert.deepEqual([finished.code, finished.stdout], [0, "from there\n"], finished.stderr);
});

test("a private invitation lets in the inviter's own key alone, which the control plane never sees", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using thief = await createTempDir();
  await using invited = await invite(up.place, echo.port, "--private");
  assert.match(invited.line, /#[\w-]{43}$/);
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  const { agentKey } = await joined.event("ready");
  const { name } = await invited.rdv.event("ready", { agentKey });
  const args = ["connect", `${name}#${String(agentKey)}`, "--stdio"];
  // Who has the owner's token, and not the inviter's key.
  const env = { RDV_CONTROL: up.control, RDV_TOKEN: up.token };
  const refused = await runRdv(args, { stateDir: thief.path, env, input: "hello" });
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  await joined.event("closed", { outcome: "not_secured" });
  assert.equal(echo.spoken(), 0);
  const connected = await runRdv(args, { ...up.place, input: "hello" });
  assert.deepEqual([connected.code, connected.stdout], [0, "hello"], connected.stderr);
});

test("an ordinary invitation that rdv joined serves plain clients, and rdv connect encrypted", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using invited = await invite(up.place, echo.port);
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  const { agentKey } = await joined.event("ready");
  const { name } = await invited.rdv.event("ready");
  assert.equal((await ask(invited.port, "plain")).bytes.toString(), "plain");
  const args = ["connect", `${name}#${String(agentKey)}`, "--stdio"];
  const connected = await runRdv(args, { ...up.place, input: "secret" });
  assert.deepEqual([connected.code, connected.stdout], [0, "secret"], connected.stderr);
});

test("a private invitation has neither raw port nor command", async () => {
  for (const more of [["--raw"], ["--", "ssh", "{host}"]]) {
    const refused = await runRdv(["invite", "ssh", "--private", ...more], up.place);
    assert.equal(refused.code, 2, refused.stderr);
  }
});
