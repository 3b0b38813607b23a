import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { within } from "../fixtures/within.ts";
import { startJoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import { skipWithoutPrograms } from "./programs.ts";
import type { Programs } from "./programs.ts";

const shells: readonly Programs["shell"][] = ["dash", "bash", "zsh", "busybox"];
const skip = skipWithoutPrograms(...shells, "socat", "curl");

/** Stand-ins for npx; what the script has to find of an installed rdv is tried with the real one in test/package. */
const found = `case "$npm_config_offline $*" in
  "true --no-install @rdv-relay/cli --version") echo 1.2.3 ;;
  "true --no-install @rdv-relay/cli join "*) echo "npx was called: $*" ;;
  *) exit 9 ;;
esac`;
const notFound = "exit 1";
const hangs = "exec sleep 600";

test(
  "npx is asked for an installed rdv, offline and not for long; if it has none the next program is used",
  { skip, concurrency: true },
  async (t) => {
    await using bench = await startJoinBench();
    await using folder = await createTempDir();
    const standIn = async (name: string, text: string): Promise<string> => {
      const file = join(folder.path, name);
      await writeFile(file, `#!/bin/sh\n${text}\n`);
      await chmod(file, 0o755);
      return file;
    };
    const [having, without, stuck] = [
      await standIn("having", found),
      await standIn("without", notFound),
      await standIn("stuck", hangs),
    ];
    await Promise.all(
      shells.map(async (shell) => {
        const programs = (npx: string): Programs => ({
          shell,
          tool: { name: "socat" },
          others: [{ name: "npx", from: npx }],
        });
        await t.test(`${shell}: it has one`, async () => {
          const invited = await bench.invite("127.0.0.1:9");
          await using joined = await joinWith(invited, programs(having));
          await within(20_000, joined.script.exited, () => "the script goes on");
          assert.equal(
            joined.script.output().stdout,
            `npx was called: --no-install @rdv-relay/cli join --yes ${invited.url}\n`,
          );
          assert.match(joined.script.output().stderr, /^rdv: uses npx$/m);
          assert.deepEqual(invited.claims, []);
          await joined.nothingLeft();
        });
        for (const [what, npx] of [
          ["it has none", without],
          ["it does not answer", stuck],
        ] as const)
          await t.test(`${shell}: ${what}`, async () => {
            const invited = await bench.invite("127.0.0.1:9");
            await using joined = await joinWith(invited, programs(npx));
            await joined.script.says("with   socat");
            await joined.script.says("ready:");
            joined.script.kill("SIGINT");
            assert.equal((await joined.script.exited).code, 130);
            await joined.nothingLeft();
          });
      }),
    );
  },
);
