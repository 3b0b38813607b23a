import assert from "node:assert/strict";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { dial, readToEnd, servedWithin, startDial } from "../fixtures/clients.ts";
import { isListening, untilListening } from "../fixtures/listeners.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { runRdv, startPlainRdv } from "../fixtures/rdv.ts";
import { createUpPlace, expose, startUp, startUpAt } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { within } from "../fixtures/within.ts";

test("wrong usage ends with 2 and one line that names the mistake", async (t) => {
  await using folder = await createTempDir();
  const mistakes: readonly (readonly [string, RegExp])[] = [
    ["up --no-such-option", /--no-such-option/],
    ["up --control-port 70000", /control-port.*70000/],
    ["up --ports 300-200", /ports.*300-200/],
    ["no-such-command", /no-such-command/],
    ["expose", /target/],
    ["expose localhost:99999", /99999/],
    ["expose 22 --name Not_A_Name", /Not_A_Name/],
    ["expose 22 --ttl soon", /soon/],
    ["expose 22 --allow everybody", /everybody/],
    ["expose 22 --control not-a-url", /not-a-url/],
    ["bridge tcp-listen:1 udp:localhost:1", /udp:localhost:1/],
  ];
  for (const [line, named] of mistakes)
    await t.test(`rdv ${line}`, async () => {
      const { code, stdout, stderr } = await runRdv(line.split(" "), { stateDir: folder.path });
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, /^[^\n]+\n$/);
      assert.match(stderr, named);
    });
});

test("what cannot be done ends with 1 and one line that says why", async (t) => {
  await using up = await startUp();
  await using folder = await createTempDir();
  await using block = await claimPorts();
  const fails = async (args: readonly string[], env: NodeJS.ProcessEnv, reason: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await runRdv(args, { stateDir: folder.path, env });
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, /^rdv: [^\n]+\n$/);
    assert.match(stderr, reason);
  };

  await t.test("no control plane is known", async () => {
    await fails(["expose", "22"], {}, /rdv up|--control/);
  });

  await t.test("the control plane does not answer", async () => {
    const nobody = `http://127.0.0.1:${block.port(0)}`;
    await fails(["expose", "22"], { RDV_CONTROL: nobody, RDV_TOKEN: "rdv_a_b" }, new RegExp(nobody));
    await fails(["sessions", "ls"], { RDV_CONTROL: nobody, RDV_TOKEN: "rdv_a_b" }, new RegExp(nobody));
  });

  await t.test("the token is wrong, and is not repeated", async () => {
    const token = "rdv_admin_thisIsNotTheOwnersKey";
    for (const args of [["expose", "22"], ["sessions"]])
      await fails(args, { RDV_CONTROL: up.control, RDV_TOKEN: token }, /^(?!.*thisIsNot).*(token|key)/i);
  });

  await t.test("another program has the control plane's port", async () => {
    const taken = new URL(up.control).port;
    await fails(["up", "--control-port", taken, "--relay-port", "0"], {}, new RegExp(taken));
  });

  await t.test("another `rdv up` uses the state directory", async () => {
    const args = ["up", "--control-port", "0", "--relay-port", "0", "--state-dir", up.place.stateDir];
    await fails(args, {}, new RegExp(up.place.stateDir));
  });
});

test("the state directory, and every file in it that holds a secret, is for this user alone", async () => {
  await using up = await startUp();
  const folder = up.place.stateDir;
  const isPrivate = async (path: string): Promise<boolean> => ((await stat(path)).mode & 0o077) === 0;
  assert.ok(await isPrivate(folder));
  const secrets = [];
  for (const name of await readdir(folder)) {
    const content = await readFile(join(folder, name), "latin1").catch(() => ""); // It may just have been renamed.
    if (!content.includes(up.token) && !content.includes('"d":')) continue; // `d` is the private part of a JWK (RFC 8037).
    secrets.push(name);
    assert.ok(await isPrivate(join(folder, name)), `${name} can be read by others`);
  }
  assert.ok(secrets.includes("credentials.json") && secrets.length > 1, secrets.join(", "));
});

test("without --json the output of `rdv expose` is the line to use next", async () => {
  await using up = await startUp();
  await using agent = startPlainRdv(["expose", "ssh"], up.place);
  await agent.says("ssh -p ");
  agent.kill("SIGINT");
  assert.equal((await within(20_000, agent.exited, () => "the agent's end")).code, 130);
  assert.match(agent.output().stdout, /^ssh -p \d+ \S+@127\.0\.0\.1\n$/);
});

test("a service that does not answer: the client is closed at once, the agent says target_refused and serves on", async () => {
  await using up = await startUp();
  await using block = await claimPorts();
  await using session = await expose(up.place, block.port(0));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const client = startDial(session.port); // The end may come before this side has seen the connection open.
    const { bytes } = await within(10_000, readToEnd(client), () => "the client's end");
    assert.equal(bytes.length, 0);
    client.destroy();
    await session.rdv.event("closed", { outcome: "target_refused" });
  }
});

test("Ctrl-C ends `rdv expose` with 130; session, port and pairs are gone", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using session = await expose(up.place, echo.port);
  await servedWithin(10_000, session.port);
  const client = await dial(session.port);
  const ending = readToEnd(client);
  client.write("open");
  await session.rdv.event("paired", {});
  session.rdv.interrupt();
  assert.equal(await session.rdv.exitCode(), 130);
  await within(10_000, ending, () => "the open client's end");
  const listed = await runRdv(["sessions", "ls", "--json"], up.place);
  assert.deepEqual([listed.code, listed.stdout], [0, ""]);
  await untilListening(session.port, false);
});

test("Ctrl-C ends `rdv up` with 130 and closes every port; the state directory can be used again", async () => {
  await using echo = await startEcho();
  await using place = await createUpPlace();
  await using up = await startUpAt(place);
  await using session = await expose(place, echo.port);
  await servedWithin(10_000, session.port);
  up.rdv.interrupt();
  assert.equal(await up.rdv.exitCode(), 130);
  assert.deepEqual(place.block.ports.filter(isListening), []);
  await using again = await startUpAt(place);
  assert.equal(again.token, up.token);
});
