import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { untilListening } from "../fixtures/listeners.ts";
import { runRdv } from "../fixtures/rdv.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { until } from "../fixtures/within.ts";

test("`sessions show` and `sessions set` see and change a session that is in use", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using session = await expose(up.place, echo.port, "--name", "desk", "--pairs", "7");
  const set = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runRdv(["sessions", "set", "desk", ...args], up.place);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const answer = async (text: string): Promise<string> => (await ask(session.port, text)).bytes.toString();
  assert.equal(await answer("before"), "before");

  assert.match(await set("--allow", "192.0.2.0/24", "--ttl", "2h"), /^allowed +192\.0\.2\.0\/24$/m);
  await until(10_000, "the relay obeys", async () =>
    (await answer("outside").catch(() => "")) === "" ? true : undefined,
  );
  assert.match(await set("--allow", "all"), /^allowed +every address$/m);
  await until(10_000, "the relay obeys", async () =>
    (await answer("again").catch(() => "")) === "again" ? true : undefined,
  );

  const shown = await runRdv(["sessions", "show", "desk"], up.place);
  assert.match(shown.stdout, new RegExp(`^address +${session.address}$`, "m"));
  assert.match(shown.stdout, /^limits +7 connections at once$/m);
  assert.match(shown.stdout, /^ends +20\d\d-/m);
  assert.equal((await runRdv(["sessions", "set", "desk"], up.place)).code, 2);
  assert.equal((await runRdv(["sessions", "set", "desk", "--pairs", "0"], up.place)).code, 2);

  await set("--bytes", "20k", "--ttl", "none");
  await answer("x".repeat(30_000)).catch(() => "");
  const ended = await session.rdv.event("ended");
  assert.match(String(ended["reason"]), /byte budget/);
  await untilListening(session.port, false);
});
