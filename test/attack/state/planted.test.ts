import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCredentials } from "../../../cli/credentials.ts";
import { openKnownAgents } from "../../../cli/known-agents.ts";
import { openDatabase } from "../../../embedded/host/database.ts";
import { loadSecrets } from "../../../embedded/secrets.ts";
import { createLog } from "../../../net/log.ts";
import { loadIdentity } from "../../../net/tls/load-identity.ts";
import { loadRelayId } from "../../../relay-node/relay-id.ts";
import { openRelayMemory } from "../../../relay-node/relay-memory.ts";
import { lockState } from "../../../state/lock.ts";
import { attack } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../../fixtures/tools.ts";

const skip = process.getuid?.() === 0 ? skipWithout("setpriv") : "needs root, to be another user as well";

const useDatabase = (dir: string): void => openDatabase(join(dir, "control.db"))[Symbol.dispose]();
const remember = (dir: string): void => openKnownAgents(dir, "http://rdv").remember("name", "A".repeat(43));

/** How rdv opens each of its files. */
const openers: Readonly<Record<string, (dir: string) => unknown>> = {
  "credentials.json": readCredentials,
  "known-agents.json": remember,
  "change.db": remember,
  "secrets.json": loadSecrets,
  "identity.pem": (dir) => loadIdentity(join(dir, "identity.pem")),
  "relay-identity.pem": (dir) => loadIdentity(join(dir, "relay-identity.pem")),
  "relay-id": async (dir) => await loadRelayId(dir),
  "relay-memory.json": openMemory,
  "lock.db": lockState,
  "control.db": useDatabase,
  "control.db-wal": useDatabase,
  "control.db-shm": useDatabase,
  "control.db-journal": useDatabase,
};

/** What somebody puts at `$path`, with `$mine` a file of theirs and `$yours` one of the user's. */
const plants = {
  "a link to a file of the user's": 'ln -s "$yours" "$path"',
  "a link to nothing": 'ln -s "$mine.none" "$path"',
  "a hard link to a file of theirs": 'ln "$mine" "$path"',
  "a pipe": 'mkfifo -m 666 "$path"',
  "a file": 'cp "$mine" "$path"; chmod 600 "$path"',
};

attack(
  {
    point: 12,
    title:
      "plants links, pipes and files under every name of a state directory that was open to all for a while",
    from: import.meta.url,
    options: { skip },
  },
  async () => {
    let tries = 0;
    for (const [name, open] of Object.entries(openers))
      for (const [what, script] of Object.entries(plants)) {
        await refusePlanted(name, open, what, script);
        tries++;
      }
    return { tries, answer: "the file is refused with advice, and nothing is read or written through it" };
  },
);

async function refusePlanted(
  name: string,
  open: (dir: string) => unknown,
  what: string,
  script: string,
): Promise<void> {
  await using folder = await createTempDir();
  await using around = await createTempDir();
  const [path, mine, yours] = [
    join(folder.path, name),
    join(around.path, "mine"),
    join(around.path, "yours"),
  ];
  for (const each of [folder.path, around.path]) chmodSync(each, 0o777);
  writeFileSync(yours, "kept");
  const other = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const planting = `set -e; echo theirs >"$mine"; ${script}`;
  execFileSync(requireTool("setpriv"), [...other, "sh", "-c", planting], {
    env: { path, mine, yours, ...paths },
  });
  await assert.rejects(async () => await open(folder.path), { message: /others may write it/ }, what);
  chmodSync(folder.path, 0o700);
  await assert.rejects(
    async () => await open(folder.path),
    { message: /^cannot use .*; .+/ },
    `${name}: ${what}`,
  );
  assert.deepEqual([readFileSync(yours, "utf8"), readFileSync(mine, "utf8")], ["kept", "theirs\n"]);
}

const paths = { PATH: process.env["PATH"] ?? "" };

/** It goes on without its memory, and says why. */
function openMemory(dir: string): never {
  const lines: string[] = [];
  const memory = openRelayMemory(
    dir,
    createLog({ write: (line) => void lines.push(line), level: "warn" }),
    Date.now,
  );
  assert.equal(memory.jwks(), undefined);
  throw new Error(/cannot use .*; [^"]+/.exec(lines.join(""))?.[0] ?? "taken");
}
