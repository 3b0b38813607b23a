import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { within } from "../fixtures/within.ts";
import { startJoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import type { Joined } from "./joined.ts";
import { eachVariant, skipVariants } from "./variants.ts";

test(
  "a machine whose ticket is not good any more ends and says why",
  { skip: skipVariants, concurrency: true },
  async (t) => {
    await using bench = await startJoinBench();

    await eachVariant(t, async (variant) => {
      const expired = await bench.invite("127.0.0.1:9", 3_600, {
        expires: Math.floor(Date.now() / 1_000) - 60,
        clientPort: 9,
      });
      await using late = await joinWith(expired, variant);
      assert.equal(await lastLine(late), "rdv: the ticket has expired");

      const first = await bench.invite("127.0.0.1:9");
      await using older = await joinWith(first, variant);
      await older.script.says("ready:", 15_000);
      const { session, clientPort } = first;
      const second = await bench.invite("127.0.0.1:9", 3_600, { session, clientPort, epoch: 2 });
      await using newer = await joinWith(second, variant);
      await newer.script.says("ready:", 15_000);
      assert.equal(await lastLine(older), "rdv: another machine has taken over");
      await older.nothingLeft();
    });
  },
);

test(
  "a service that does not answer is no reason to stop waiting",
  { skip: skipVariants, concurrency: true },
  async (t) => {
    await using bench = await startJoinBench();
    await using ports = await claimPorts(); // Free, and nobody listens there.
    await eachVariant(t, async (variant) => {
      const invited = await bench.invite(`127.0.0.1:${ports.port(0)}`);
      await using joined = await joinWith(invited, variant);
      await joined.script.says("ready:", 15_000);
      for (let client = 0; client < 3; client += 1) {
        const ending = await within(
          9_000,
          ask(invited.clientPort, "anybody?"),
          () => "the client is left waiting",
        );
        assert.equal(ending.bytes.length, 0);
      }
      await joined.script.says("closed: 127.0.0.1:");
    });
  },
);

/** What it says last; it must end by itself, in order. */
async function lastLine(joined: Joined): Promise<string | undefined> {
  const { code } = await within(20_000, joined.script.exited, () => joined.script.output().stderr);
  assert.equal(code, 0);
  return joined.script.output().stderr.trimEnd().split("\n").at(-1);
}
