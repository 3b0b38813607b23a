import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { describe, startProcess } from "../fixtures/processes.ts";
import { runRdv, startPlainRdv, startRdv } from "../fixtures/rdv.ts";
import { startRelay } from "../fixtures/relay.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { until, within } from "../fixtures/within.ts";
import { invite } from "./invited.ts";

let up: Up;
before(async () => void (up = await startUp()));
after(async () => await up[Symbol.asyncDispose]());

test("rdv join serves many clients without an account, shows each, and leaves in order", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using invited = await invite(up.place, echo.port);
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  const ready = await joined.event("ready", { command: "join" });
  assert.equal(ready.address, invited.address);
  assert.equal((await invited.rdv.event("joined"))["method"], "rdv");
  await invited.rdv.event("ready", { command: "invite", address: invited.address });
  const answers = await Promise.all(
    ["a", "b", "c", "d", "e"].map(async (text) => await ask(invited.port, text)),
  );
  assert.deepEqual(
    answers.map(({ bytes }) => bytes.toString()),
    ["a", "b", "c", "d", "e"],
  );
  for (let i = 0; i < 5; i += 1) {
    const { bytesIn, bytesOut, outcome } = await joined.event("closed");
    assert.deepEqual([bytesIn, bytesOut, outcome], [1, 1, "closed"]);
  }
  joined.interrupt();
  assert.equal(await joined.exitCode(), 130);
  await invited.rdv.event("waiting");
  await using again = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  await again.event("ready");
  await invited.rdv.event("ready");
  assert.equal((await ask(invited.port, "back")).bytes.toString(), "back", "the same machine may come again");
});

test("a bare code and the control plane's address are enough, however the code is typed", async () => {
  await using echo = await startEcho();
  await using invited = await invite(up.place, 9);
  const typed = invited.code.toLowerCase().replace("-", " ").replaceAll("0", "o").replaceAll("1", "l");
  const args = ["join", typed, "--control", up.control, "--yes", "--target", String(echo.port)];
  await using joined = startRdv(args, up.place);
  await joined.event("ready");
  assert.equal(
    (await ask(invited.port, "here")).bytes.toString(),
    "here",
    "the helped side chose another service",
  );
});

test("where nothing can be written it joins all the same", async () => {
  await using echo = await startEcho();
  await using folder = await createTempDir();
  const file = join(folder.path, "no-directory");
  await writeFile(file, "");
  await using invited = await invite(up.place, echo.port);
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: join(file, "state") });
  await joined.event("ready");
  assert.equal((await ask(invited.port, "here")).bytes.toString(), "here");
});

test("without consent nothing is opened, and the code is not used", async () => {
  await using stranger = await createTempDir();
  await using invited = await invite(up.place, 9);
  const refused = await runRdv(["join", invited.url], { stateDir: stranger.path });
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /asks to reach a service of this machine[^]*what {3}localhost:9 \(127\.0\.0\.1(, ::1)?\)\n/,
  );
  assert.match(refused.stderr, /no terminal to ask on; to agree without being asked, add --yes/);
  const command = `${process.execPath} ${import.meta.dirname}/../../cli/main.ts join ${invited.url}`;
  for (const [answer, outcome] of [
    ["n\n", "not allowed; nothing was opened"],
    ["y\n", "ready: "],
  ] as const) {
    await using person = startProcess("script", ["-qefc", command, "/dev/null"], { keepInput: true });
    await person.says("Allow it? [y/N]");
    person.stdin.write(answer);
    await person.says(outcome);
  }
  await invited.rdv.event("joined");
});

test("rdv join finds a relay again that was killed and started again", async () => {
  await using echo = await startEcho();
  await using block = await claimPorts();
  await using state = await createTempDir();
  await using stranger = await createTempDir();
  const place = {
    stateDir: state.path,
    region: "far",
    sharedPort: block.port(0),
    ports: [block.port(1), block.port(5)],
  } as const;
  await using relay = await startRelay(up, place);
  await using invited = await invite(up.place, echo.port, "--region", "far");
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  await joined.event("ready");
  await relay.killHard();
  await joined.event("waiting");
  await using _again = await startRelay(up, place);
  await joined.event("back");
  assert.equal((await ask(invited.port, "again")).bytes.toString(), "again");
});

test("when the inviter ends it, every connection is cut on all sides", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  for (const how of ["Ctrl-C", "sessions rm"]) {
    await using invited = await invite(up.place, echo.port);
    await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
    await invited.rdv.event("ready");
    await using client = startProcess("nc", ["127.0.0.1", String(invited.port)], { keepInput: true });
    client.stdin.write("still there?");
    await client.says("still there?");
    if (how === "Ctrl-C") invited.rdv.interrupt();
    else assert.equal((await runRdv(["sessions", "rm", invited.session], up.place)).code, 0);
    await client.exited;
    assert.equal((await joined.event("closed")).event, "closed");
    assert.equal(await joined.exitCode(), 0);
    assert.equal(await invited.rdv.exitCode(), how === "Ctrl-C" ? 130 : 1, how);
    assert.equal((await runRdv(["join", invited.url, "--yes"], { stateDir: stranger.path })).code, 1);
    assert.equal((await ask(invited.port, "anybody?")).how, "ECONNREFUSED", "nobody listens any more");
  }
});

test("the end of its time ends an invitation without anybody", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using invited = await invite(up.place, echo.port, "--ttl", "10s");
  await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
  await invited.rdv.event("ready");
  await using client = startProcess("nc", ["127.0.0.1", String(invited.port)], { keepInput: true });
  client.stdin.write("still there?");
  await client.says("still there?");
  await invited.rdv.event("ended", { reason: "its time is over" });
  assert.equal(await joined.exitCode(), 0);
  await client.exited;
});

test("a command is run with host and port filled in, and its exit code is the inviter's", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  const script = 'read -r said; echo "$said to $0 $1"; exit 7';
  const args = ["invite", String(echo.port), "--", "sh", "-c", script, "{host}", "{port}"];
  await using inviting = startPlainRdv(args, { stateDir: up.place.stateDir, keepInput: true });
  await inviting.says("Waiting for them");
  await inviting.says("| sh\n");
  const url = /https?:\/\/\S+\/j\/\S+/.exec(inviting.output().stdout)?.[0] ?? "";
  await using joined = startRdv(["join", url, "--yes"], { stateDir: stranger.path });
  inviting.stdin.end("hello\n");
  const { code } = await within(30_000, inviting.exited, () => describe("rdv invite", inviting));
  assert.equal(code, 7);
  assert.match(inviting.output().stdout, /^hello to 127\.0\.0\.1 \d+$/m);
  assert.equal(await joined.exitCode(), 0, "the invitation ended with the command");
  await until(15_000, "no session is left", async () => {
    const { stdout } = await runRdv(["sessions", "ls", "--json"], up.place);
    return stdout === "" ? true : undefined;
  });
});

test("for people it says what to send, who came and what to type", async () => {
  await using echo = await startEcho();
  await using stranger = await createTempDir();
  await using inviting = startPlainRdv(["invite", String(echo.port), "--qr", "--as", "Anna"], up.place);
  await inviting.says("Waiting for them");
  await inviting.says("| sh\n");
  const { stdout, stderr } = inviting.output();
  assert.match(stdout, /^curl -fsSL (\S+) \| sh\n$/, "stdout is the line to send, and nothing else");
  assert.match(stderr, /on Windows {4}irm \S+\/ps1 \| iex/);
  assert.match(stderr, /█▀/);
  assert.match(stderr, /It lets 127\.0\.0\.0\/8, ::1 connect to localhost:\d+ there, until \d/);
  const url = /http\S+/.exec(stdout)?.[0] ?? "";
  await using joined = startRdv(["join", url, "--yes"], { stateDir: stranger.path });
  await inviting.says("has joined, by rdv");
  await inviting.says("nc 127.0.0.1 ");
  await joined.event("ready");
});
