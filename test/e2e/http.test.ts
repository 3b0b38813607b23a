import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runOk } from "../fixtures/processes.ts";
import { sameContent, writeRandomFile } from "../fixtures/random-file.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startHttpBarrier, startHttpEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

test("real curl through rdv", { skip: skipWithout("curl") }, async (t) => {
  await using up = await startUp();
  const curl = requireTool("curl");

  await t.test("GET and POST are answered, a large body comes back unchanged", async () => {
    await using service = await startHttpEcho();
    await using session = await expose(up.place, service.port);
    await using folder = await createTempDir();
    const [sent, received] = [join(folder.path, "sent"), join(folder.path, "received")];
    await writeRandomFile(sent, 5_000_000);
    const url = `http://${session.address}`;
    assert.equal(await runOk(curl, ["-sS", `${url}/hello?x=1`]), "GET /hello?x=1\n");
    assert.equal(await runOk(curl, ["-sS", "-d", "a=b", `${url}/form`]), "POST /form\na=b");
    await runOk(curl, ["-sS", "-X", "PUT", "--data-binary", `@${sent}`, "-o", received, `${url}/body`]);
    assert.ok((await readFile(received)).subarray("PUT /body\n".length).equals(await readFile(sent)));
    assert.equal(await sameContent(sent, received), false, "the echo's first line is there");
  });

  await t.test("50 requests are all open at once and each gets its own answer", async () => {
    await using service = await startHttpBarrier(50);
    await using session = await expose(up.place, service.port);
    const args = ["-sS", "--parallel", "--parallel-immediate", "--parallel-max", "50", "--max-time", "20"];
    const answers = await runOk(curl, [
      ...args,
      "-H",
      "Connection: close",
      `http://${session.address}/[1-50]`,
    ]);
    const expected = Array.from({ length: 50 }, (_, index) => `/${index + 1}`);
    assert.deepEqual(answers.trim().split("\n").sort(), expected.sort());
  });
});
