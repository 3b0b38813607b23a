import assert from "node:assert/strict";
import { test } from "node:test";
import { createControlHost } from "../../embedded/host/control-host.ts";
import type { ControlHost } from "../../embedded/host/control-host.ts";
import { silentLog } from "../../net/log.ts";
import { newCode } from "../../protocol/invitations.ts";
import { limits } from "../../protocol/limits.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { createSecrets } from "./control-under-test.ts";

test("who guessed codes has no new tries after the control plane was started again", async () => {
  await using dir = await createTempDir();
  const options = {
    host: "127.0.0.1",
    port: 0,
    stateDir: dir.path,
    env: await createSecrets(),
    log: silentLog,
  };
  const { burst } = limits.guessRate;
  {
    await using host = await createControlHost(options);
    assert.deepEqual(
      await guess(host, burst),
      Array.from({ length: burst }, () => 404),
    );
  }
  await using host = await createControlHost(options);
  // A restart takes less than the 12 s after which there would be two more.
  assert.ok((await guess(host, 3)).includes(429));
});

async function guess({ url }: ControlHost, tries: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < tries; i += 1) {
    const code = newCode((bytes) => crypto.getRandomValues(bytes));
    statuses.push((await fetch(`${url}/j/${code}`)).status);
  }
  return statuses;
}
