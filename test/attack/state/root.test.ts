import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { attack } from "../../fixtures/attack.ts";
import { runRdv } from "../../fixtures/rdv.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const skip = process.getuid?.() !== 0 && "only root meets this";
const env = { RDV_CONTROL: "http://127.0.0.1:9", RDV_TOKEN: "rdv_admin_0123456789abcdef" };
const place = ["--region", "eu", "--host", "127.0.0.1", "--public-host", "127.0.0.1", "--port", "0"];
const commands = [
  ["up", "--control-port", "0", "--relay-port", "0", "--ports", "23100-23110"],
  ["relay", ...place],
  ["expose", "9"],
  ["connect", "name"],
  ["doctor"],
];

attack(
  {
    point: 12,
    title: "has root run rdv in the state directory of somebody else, who then cannot read what it left",
    from: import.meta.url,
    options: { skip },
  },
  async () => {
    await using dir = await createTempDir();
    const theirs = join(dir.path, "theirs");
    mkdirSync(theirs, { mode: 0o700 });
    chownSync(theirs, 65_534, 65_534);
    const places = [theirs, join(theirs, "new", "rdv")];
    for (const command of commands)
      for (const stateDir of places) {
        const { code, stdout, stderr } = await runRdv(command, { stateDir, env });
        assert.equal(code, 1, command[0]);
        // What is not there yet is no fault for doctor, which makes nothing.
        if (command[0] !== "doctor" || stateDir === theirs)
          assert.match(stdout + stderr, /cannot use .*belongs to user 65534, and this is user 0/, command[0]);
        assert.deepEqual(readdirSync(theirs), [], command[0]);
      }
    return {
      tries: commands.length * places.length,
      answer: "refused, with the user to run it as; nothing is left",
    };
  },
);
