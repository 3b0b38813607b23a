import assert from "node:assert/strict";
import { test } from "node:test";
import { runRdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

test("expose refuses what it would have to leave out, before it asks anybody", async () => {
  await using dir = await createTempDir();
  for (const [options, named] of [
    [["--raw", "--once", "--bytes", "1G"], /--raw .*--once, --bytes/],
    [["--raw-from", "10.0.0.0/8", "--port", "20000"], /--raw .*--port/],
    [["--private", "--raw-from", "10.0.0.0/8"], /--private .*--raw/],
    [["--private", "--port", "20000"], /--private .*--port/],
  ] as const) {
    const { code, stdout, stderr } = await runRdv(["expose", "22", ...options], { stateDir: dir.path });
    assert.deepEqual([code, stdout], [2, ""], options.join(" "));
    assert.match(stderr, /^rdv: [^\n]*\n$/);
    assert.match(stderr, named);
  }
});
