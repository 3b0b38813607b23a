import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { runDoctor } from "../doctor/run-doctor.ts";
import { relayMetrics } from "../fixtures/metrics.ts";

const { platform, arch } = process;
const canRun = platform === "linux" && (arch === "x64" || arch === "arm64");
const where = {
  skip: canRun ? false : `the kernel pump needs Linux on x64 or arm64, this is ${platform} ${arch}`,
};

for (const choice of ["kernel", "auto"])
  test(`\`rdv up --pump ${choice}\` moves a plain client's bytes in the kernel`, where, async () => {
    await using echo = await startEcho();
    await using up = await startUp("--pump", choice, "--threads", "2", "--expose", `127.0.0.1:${echo.port}`);
    const { address = "" } = await up.rdv.event("ready", { command: "expose" });
    const client = await dial(Number(address.split(":")[1]));
    client.write("hello");
    await once(client, "readable");
    assert.equal(String(client.read()), "hello");
    // The agent and the relay of this process share one pump, so that the client's pair is seen at both.
    assert.deepEqual(await pumpedPairs(up), { kernel: 2, portable: 0 });
    assert.doesNotMatch(up.rdv.process.output().stderr, /pump/);

    const bytes = randomBytes(4 * 1024 * 1024);
    const got = readToEnd(client);
    client.end(bytes);
    const answer = await got;
    assert.ok(
      answer.how === "end" && answer.bytes.equals(bytes),
      `${answer.bytes.length} bytes, ${answer.how}`,
    );
    const count = bytes.length + "hello".length;
    await up.rdv.event("closed", { outcome: "closed", bytesIn: count, bytesOut: count });
  });

test("`rdv doctor` says that the kernel moves the bytes", where, async () => {
  await using folder = await createTempDir();
  const { status, detail } = (await runDoctor([], { stateDir: folder.path })).find("pump");
  assert.deepEqual([status, detail], ["ok", "kernel: the kernel moves the bytes between plain connections"]);
});

/** What moves the pairs that live now, as the relay's metrics tell it. */
async function pumpedPairs({ relay }: Up): Promise<{ kernel: number; portable: number }> {
  const text = await relayMetrics(relay);
  const count = (kind: string): number =>
    Number(new RegExp(`^\\w+_pumped_pairs\\{pump="${kind}"\\} (\\d+)$`, "m").exec(text)?.[1]);
  return { kernel: count("kernel"), portable: count("portable") };
}
