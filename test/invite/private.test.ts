import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { runRdv, startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { invite } from "./invited.ts";

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
