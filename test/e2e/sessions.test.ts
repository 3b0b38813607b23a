import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, servedWithin } from "../fixtures/clients.ts";
import { untilListening } from "../fixtures/listeners.ts";
import { runRdv } from "../fixtures/rdv.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";

test("sessions and their policies on the command line", async (t) => {
  await using echo = await startEcho();
  await using up = await startUp();

  await t.test(
    "`sessions ls` shows a session and `sessions rm` ends it, with its agent and its port",
    async () => {
      await using session = await expose(up.place, echo.port, "--name", "listed");
      const [listed, ...others] = await listSessions(up);
      assert.deepEqual(others, []);
      assert.deepEqual(
        [listed?.["id"], listed?.["name"], listed?.["address"], listed?.["state"], listed?.["target"]],
        [session.session, "listed", session.address, "live", `localhost:${echo.port}`],
      );
      const removed = await runRdv(["sessions", "rm", "listed", "--json"], up.place);
      assert.deepEqual(
        [removed.code, JSON.parse(removed.stdout)],
        [0, { event: "removed", session: "listed" }],
      );
      assert.equal(await session.rdv.exitCode(), 1);
      assert.match(
        session.rdv.process.output().stderr,
        /^rdv: the session is over: its owner ended it; [^\n]+\n$/m,
      );
      await untilListening(session.port, false);
      assert.deepEqual(await listSessions(up), []);
    },
  );

  await t.test("removing a session that is not there fails with one line that names it", async () => {
    const { code, stdout, stderr } = await runRdv(["sessions", "rm", "nobody"], up.place);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^rdv: .*nobody.*\n$/);
  });

  await t.test("`--port` decides the public port, and another session cannot have it", async () => {
    const port = up.place.block.port(9);
    await using session = await expose(up.place, echo.port, "--name", "fixed", "--port", String(port));
    assert.equal(session.port, port);
    await servedWithin(10_000, port);
    const second = await runRdv(
      ["expose", String(echo.port), "--name", "other", "--port", String(port)],
      up.place,
    );
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`^rdv: .*${port}.*\n$`));
  });

  await t.test(
    "`--once` serves one client, then the command ends with 0 and the port is closed",
    async () => {
      await using session = await expose(up.place, echo.port, "--once");
      assert.equal((await ask(session.port, "only me")).bytes.toString(), "only me");
      assert.equal(await session.rdv.exitCode(), 0);
      await untilListening(session.port, false);
      assert.deepEqual(await listSessions(up), []);
    },
  );

  await t.test("`--ttl 6s` ends the session by itself", async () => {
    const start = performance.now();
    await using session = await expose(up.place, echo.port, "--ttl", "6s");
    await session.rdv.event("ended");
    await session.rdv.exitCode();
    assert.ok(performance.now() - start >= 5_900, "not before its time");
    await untilListening(session.port, false);
    assert.deepEqual(await listSessions(up), []);
  });

  await t.test("`--allow` lets the listed addresses in and nobody else", async () => {
    await using counted = await startEcho();
    await using session = await expose(
      up.place,
      counted.port,
      "--allow",
      "127.0.0.2",
      "--allow",
      "127.1.0.0/16",
    );
    const answers = [];
    for (const from of ["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.2.0.1"])
      answers.push((await ask(session.port, from, from)).bytes.toString());
    assert.deepEqual(answers, ["", "127.0.0.2", "127.1.2.3", ""]);
    assert.equal(counted.spoken(), 2);
  });
});

async function listSessions(up: Up): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await runRdv(["sessions", "ls", "--json"], up.place);
  assert.equal(code, 0, stderr);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Record<string, unknown> => JSON.parse(line));
}
