import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attack } from "../../fixtures/attack.ts";
import { runRdv } from "../../fixtures/rdv.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const stranger = 65_534;
const options = { skip: process.getuid?.() !== 0 && "only root can be two users" };
const credentials = JSON.stringify({ control: "http://127.0.0.1:9", token: "theirs" });
const files = ["credentials.json", "secrets.json", "relay-id", "known-agents.json", "lock.db", "control.db"];

/** What another user does to the state directory of root; `victim` is a file that must stay as it is. */
const plants: Readonly<Record<string, (state: string, victim: string) => void>> = {
  "a directory of theirs": (state) => {
    give(state);
  },
  "a directory that they may write": (state) => {
    chmodSync(state, 0o777);
  },
  "links under the names that are written first": (state, victim) => {
    chmodSync(state, 0o777);
    for (const name of files) link(victim, join(state, `${name}.new`));
  },
  "a link to somebody's file": (state, victim) => {
    for (const name of ["credentials.json", "secrets.json"]) link(victim, join(state, name));
  },
  "credentials of theirs": (state) => {
    for (const name of ["credentials.json", "secrets.json"]) {
      writeFileSync(join(state, name), credentials, { mode: 0o600 });
      give(join(state, name));
    }
  },
  "a pipe that nobody fills": (state) => {
    for (const name of ["credentials.json", "secrets.json"]) execFileSync("mkfifo", [join(state, name)]);
  },
};

attack(
  {
    point: 12,
    title: "another user of the machine prepares root's state directory with files, links and pipes",
    from: import.meta.url,
    options,
  },
  async () => {
    const cases = Object.entries(plants).flatMap(([what, plant]) =>
      [up, ["sessions"]].map((command) => ({ what, plant, command })),
    );
    for (const { what, plant, command } of cases) {
      await using dir = await createTempDir();
      const [state, victim] = [join(dir.path, "state"), join(dir.path, "victim")];
      mkdirSync(state, { mode: 0o755 });
      writeFileSync(victim, "kept", { mode: 0o600 });
      plant(state, victim);
      const before = readdirSync(state).sort();
      await refuses(command, state, what);
      assert.equal(readFileSync(victim, "utf8"), "kept", what);
      const added = readdirSync(state).filter(
        (name) => !before.includes(name) && !name.startsWith("lock.db"),
      );
      assert.deepEqual(added, [], what);
    }
    return {
      tries: cases.length,
      answer: "refused, with the path, the reason and what to do; nothing is written",
    };
  },
);

attack(
  {
    point: 12,
    title: "another user can replace the state directory because one above it is theirs or open to all",
    from: import.meta.url,
    options,
  },
  async () => {
    let tries = 0;
    for (const above of [(path: string) => give(path), (path: string) => chmodSync(path, 0o777)])
      for (const made of [true, false])
        for (const command of [up, ["sessions"]]) {
          await using dir = await createTempDir();
          const open = join(dir.path, "open");
          mkdirSync(join(open, "deep"), { recursive: true, mode: 0o755 });
          const state = join(open, "deep", "state");
          if (made) writeOwn(state);
          above(open);
          const before = readdirSync(open, { recursive: true });
          if (made || command === up) await refuses(command, state, "above");
          assert.deepEqual(readdirSync(open, { recursive: true }), before);
          tries += 1;
        }
    return { tries, answer: "refused as sshd's StrictModes does; the sticky bit of /tmp is enough" };
  },
);

const up = ["up", "--control-port", "0", "--relay-port", "0", "--ports", "23100-23110"];

async function refuses(command: readonly string[], state: string, what: string): Promise<void> {
  const { code, stdout, stderr } = await runRdv([...command], { stateDir: state });
  assert.deepEqual([code, stdout], [1, ""], `${what}: ${stderr}`);
  assert.match(stderr, /^rdv: cannot use \S+: [^\n]+; [^\n]+\n$/, what);
}

function writeOwn(state: string): void {
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(state, "credentials.json"), credentials, { mode: 0o600 });
}

function give(path: string): void {
  chownSync(path, stranger, stranger);
}

function link(to: string, path: string): void {
  symlinkSync(to, path);
  lchownSync(path, stranger, stranger);
}
