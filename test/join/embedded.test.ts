import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

const folder = new URL("../../control/join/", import.meta.url);
const agents = {
  "agent.mjs": "text/javascript",
  "agent.py": "text/x-python",
  "agent.pl": "text/x-perl",
  "agent.sh": "text/x-shellscript",
};

test("what the control plane serves is what the files in control/join/sources say (RDV_WRITE_EMBEDDED=1 renews it)", async () => {
  const wanted = await embedded();
  const file = new URL("embedded.ts", folder);
  if (process.env["RDV_WRITE_EMBEDDED"] === "1") await writeFile(file, wanted);
  assert.equal(await readFile(file, "utf8"), wanted);
});

/** The module that holds the files, because a Worker has no disk to read them from. */
async function embedded(): Promise<string> {
  const shell = await readFile(new URL("sources/join.sh", folder), "utf8");
  const entries = await Promise.all(
    Object.entries(agents).map(async ([name, type]) => {
      const text = await readFile(new URL(`sources/${name}`, folder), "utf8");
      const sha256 = createHash("sha256").update(text).digest("hex");
      return `  ${JSON.stringify(name)}: {\n    type: "${type}",\n    sha256: "${sha256}",\n    text: ${literal(text)},\n  },\n`;
    }),
  );
  return `// Written by test/join/embedded.test.ts from the files in sources/.

/** The part of the join script that is the same for everybody. */
export const joinShell = ${literal(shell)};

/** The single-file agents that the join script fetches, and their SHA-256. */
export const joinFiles = {
${entries.join("")}} as const;
`;
}

/** A template literal, so that a change of a source is a readable change of lines here. */
function literal(text: string): string {
  return `\`${text.replace(/[\\`]|\$(?=\{)/g, "\\$&")}\``;
}
