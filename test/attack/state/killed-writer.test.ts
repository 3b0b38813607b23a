import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readStateFile } from "../../../state/read-file.ts";
import { attack, triesNow } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const writer = fileURLToPath(new URL("writer.ts", import.meta.url));
const rounds = triesNow(50);
const writersAtOnce = 4;

attack(
  {
    point: 12,
    title: "kills commands with signal 9 in the middle of their writes to one file",
    from: import.meta.url,
  },
  async () => {
    await using dir = await createTempDir();
    const path = join(dir.path, "file");
    for (let round = 0; round < rounds; round++)
      await Promise.all(
        Array.from({ length: writersAtOnce }, async (_, index) => {
          await killWriter(path, (round * writersAtOnce + index) % 40);
          assert.match(readStateFile(path, { secret: true }) ?? "missing", /^([a-z])\1{65535}$/);
        }),
      );
    return { tries: rounds * writersAtOnce, answer: "the file is always there, and whole" };
  },
);

async function killWriter(path: string, afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  await sleep(afterMs);
  child.kill("SIGKILL");
  await exited;
}
