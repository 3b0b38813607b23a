import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { runRdv, startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { until } from "../fixtures/within.ts";
import { invite } from "./invited.ts";

const skip = skipWithout("socat", "sshd", "ssh");
let up: Up;
before(async () => void (up = await startUp()));
after(async () => await up[Symbol.asyncDispose]());

test(
  "an untouched socat is the agent of a session with --raw, one connection a client",
  { skip },
  async () => {
    await using sshd = await startSshd();
    await using invited = await invite(up.place, sshd.port, "--raw");
    assert.equal(invited.rawLine, `socat TCP:${invited.raw} TCP:localhost:${sshd.port}`);
    await invited.rdv.process.says("is open without any check: whoever comes first can pass for");
    for (const word of ["once", "again"]) {
      await using socat = await startSocat(invited.raw, sshd.port);
      await invited.rdv.event("ready");
      const ssh = [...sshd.options(invited.port), sshd.login(), `echo ${word}`];
      assert.equal(await runOk(requireTool("ssh"), ssh), `${word}\n`);
      assert.equal((await socat.exited).code, 0, "socat ended with its one client");
      await invited.rdv.event("waiting");
    }
  },
);

test(
  "several raw halves serve several clients at once, and what the service says first is kept",
  { skip },
  async () => {
    await using echo = await startEcho();
    await using invited = await invite(up.place, echo.port, "--raw");
    await using socats = new AsyncDisposableStack();
    for (let i = 0; i < 3; i += 1) socats.use(await startSocat(invited.raw, echo.port));
    await invited.rdv.event("ready");
    const answers = ["a", "b", "c"].map(async (text) => (await ask(invited.port, text)).bytes.toString());
    assert.deepEqual(await Promise.all(answers), ["a", "b", "c"]);
  },
);

test("rdv expose --raw needs no agent of ours at all", { skip }, async () => {
  await using echo = await startEcho();
  await using exposed = startRdv(["expose", String(echo.port), "--raw"], up.place);
  const { raw, address = "" } = await exposed.event("invited");
  await using _socat = await startSocat(String(raw), echo.port);
  await exposed.event("ready");
  assert.equal((await ask(Number(address.split(":").at(-1)), "hello")).bytes.toString(), "hello");
});

test("a raw port takes halves from its range alone, or from who came first", { skip }, async () => {
  await using echo = await startEcho();
  await using ranged = await invite(up.place, echo.port, "--raw-from", "127.0.0.9");
  await using refused = await startSocat(ranged.raw, echo.port);
  await refused.exited;
  assert.equal((await ask(ranged.port, "hello")).how, "ECONNREFUSED", "nobody is the agent yet");
  await using allowed = await startSocat(ranged.raw, echo.port, ",bind=127.0.0.9");
  await ranged.rdv.event("ready");
  assert.equal((await ask(ranged.port, "hello")).bytes.toString(), "hello");
  await allowed.exited;

  await using open = await invite(up.place, echo.port, "--raw");
  await using first = await startSocat(open.raw, echo.port, ",bind=127.0.0.7");
  await open.rdv.event("ready");
  await using second = await startSocat(open.raw, echo.port, ",bind=127.0.0.8");
  await second.exited; // Somebody else cannot be the agent.
  assert.equal((await ask(open.port, "hello")).bytes.toString(), "hello");
  await first.exited;
});

test(
  "a raw port is there only when asked for, one hour at most, and gone with its session",
  { skip },
  async () => {
    await using plain = await invite(up.place, 9);
    assert.equal(plain.raw, "");
    const long = await runRdv(["invite", "9", "--raw", "--ttl", "2h"], up.place);
    assert.equal(long.code, 2);
    assert.match(long.stderr, /a raw port lives at most 3600 s/);
    await using invited = await invite(up.place, 9, "--raw");
    await until(15_000, "the raw port is open", async () => (await isOpen(invited.raw)) || undefined);
    invited.rdv.interrupt();
    assert.equal(await invited.rdv.exitCode(), 130);
    await until(15_000, "the raw port is closed", async () => !(await isOpen(invited.raw)) || undefined);
  },
);

test("a raw port comes back with its relay", { skip }, async () => {
  await using own = await startUp();
  await using echo = await startEcho();
  await using invited = await invite(own.place, echo.port, "--raw");
  await own.rdv.killHard();
  await using again = startRdv(own.place.args, own.place);
  await again.event("ready");
  await using _socat = await startSocat(invited.raw, echo.port);
  await invited.rdv.event("ready");
  assert.equal((await ask(invited.port, "hello")).bytes.toString(), "hello");
});

async function startSocat(raw: string, port: number, options = ""): Promise<Running> {
  await until(15_000, "the raw port is open", async () => (await isOpen(raw)) || undefined);
  return startProcess(requireTool("socat"), [`TCP:${raw}${options}`, `TCP:127.0.0.1:${port}`]);
}

/** Whether the system listens there; a connection would make the prober the first that came. */
async function isOpen(raw: string): Promise<boolean> {
  const port = raw.split(":").at(-1);
  const table = await runOk("ss", ["-Hltn", `sport = :${port}`]);
  return table.trim() !== "";
}
