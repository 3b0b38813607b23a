import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openKnownAgents } from "../../../cli/known-agents.ts";
import { attack } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const knower = fileURLToPath(new URL("knower.ts", import.meta.url));
const commands = ["a", "b", "c", "d"];
const each = 25;

attack(
  {
    point: 12,
    title: "has commands write known agents at once, so that a key is forgotten and a new one believed",
    from: import.meta.url,
  },
  async () => {
    await using dir = await createTempDir();
    const run = promisify(execFile);
    await Promise.all(
      commands.map(async (own) => await run(process.execPath, [knower, dir.path, own, String(each)])),
    );
    const known = openKnownAgents(dir.path, "http://127.0.0.1:1");
    for (const own of commands)
      for (let i = 0; i < each; i++) assert.equal(known.get(`${own}-${i}`), "A".repeat(43), `${own}-${i}`);
    assert.deepEqual((await readdir(dir.path)).toSorted(), ["change.db", "known-agents.json"]);
    return {
      tries: commands.length * each,
      answer: "every key is kept: one command at a time changes the file",
    };
  },
);
