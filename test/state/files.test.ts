import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, linkSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { limits } from "../../protocol/limits.ts";
import { readStateFile } from "../../state/read-file.ts";
import { createStateFile, saveStateFile, writeStateFile } from "../../state/write-file.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

const posix = { skip: process.platform === "win32" && "Windows has neither such modes nor owners" };
const root = { skip: process.getuid?.() !== 0 && "only root can give files away" };
const secret = { secret: true };

test("a written file is read again, has mode 0600 and leaves nothing else behind", posix, async () => {
  await using dir = await createTempDir();
  const state = join(dir.path, "deep", "state");
  const path = join(state, "file");
  assert.equal(readStateFile(path, secret), undefined);
  writeStateFile(path, "one");
  await saveStateFile(path, "two");
  assert.equal(createStateFile(path, "three"), false);
  assert.equal(readStateFile(path, secret), "two");
  assert.equal(createStateFile(join(state, "other"), "new"), true);
  assert.deepEqual(readdirSync(state), ["file", "other"]);
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  assert.equal(statSync(state).mode & 0o777, 0o700);
});

test("a write that fails says what to do and leaves nothing behind", async () => {
  await using dir = await createTempDir();
  const path = join(dir.path, "file");
  mkdirSync(path);
  const expected = { code: "failed", message: /^cannot write .*; make room, or give another --state-dir$/ };
  assert.throws(() => writeStateFile(path, "x"), expected);
  await assert.rejects(saveStateFile(path, "x"), expected);
  assert.throws(() => writeStateFile(join(dir.path, "big"), "x".repeat(limits.stateFileBytes + 1)), expected);
  assert.deepEqual(readdirSync(dir.path), ["file"]);
});

test(
  "what others could have put there or may write is not read, and the error says what to do",
  posix,
  async () => {
    await using dir = await createTempDir();
    const target = join(dir.path, "target");
    writeFileSync(target, "x", { mode: 0o600 });
    const planted: Record<string, (path: string) => void> = {
      link: (path) => symlinkSync(target, path),
      dangling: (path) => symlinkSync("nowhere", path),
      directory: (path) => mkdirSync(path),
      pipe: (path) => execFileSync("mkfifo", [path]),
      group: (path) => plant(path, 0o620),
      world: (path) => plant(path, 0o602),
      readable: (path) => plant(path, 0o604),
      large: (path) => plant(path, 0o600, "x".repeat(limits.stateFileBytes + 1)),
    };
    for (const [name, put] of Object.entries(planted)) {
      const path = join(dir.path, name);
      put(path);
      assert.throws(
        () => readStateFile(path, secret),
        { code: "failed", message: /^cannot use .*: .*; .+/ },
        name,
      );
    }
    assert.equal(readStateFile(join(dir.path, "readable"), { secret: false }), "x");
  },
);

test("a directory that others may write or that is none is neither read nor written", posix, async () => {
  await using dir = await createTempDir();
  for (const mode of [0o702, 0o1777, 0o777]) {
    chmodSync(dir.path, mode);
    refused(join(dir.path, "file"), /others may write it .*chmod go-w/);
  }
  // A group of the owner's own number is the owner alone, another one is not.
  const group = process.getgid?.() === process.getuid?.() ? "own" : "another";
  chmodSync(dir.path, 0o770);
  if (group === "another") refused(join(dir.path, "file"), /others may write it/);
  if (process.getuid?.() === 0) {
    chownSync(dir.path, 0, 12_345);
    refused(join(dir.path, "file"), /others may write it/);
    chownSync(dir.path, 0, 0);
  }
  chmodSync(dir.path, 0o700);
  plant(join(dir.path, "file"), 0o600);
  refused(join(dir.path, "file", "file"), /it is no directory/);
});

test("what belongs to somebody else is neither read nor written, by root not either", root, async () => {
  await using dir = await createTempDir();
  const [file, theirs] = [join(dir.path, "file"), join(dir.path, "theirs")];
  plant(file, 0o600);
  chownSync(file, 65_534, 65_534);
  assert.throws(() => readStateFile(file, secret), { message: /belongs to user 65534, and this is user 0/ });
  mkdirSync(theirs, { mode: 0o700 });
  chownSync(theirs, 65_534, 65_534);
  refused(join(theirs, "file"), /sudo -u '#65534' rdv/);
  assert.throws(() => writeStateFile(join(theirs, "new", "state", "file"), "x"), { message: /user 65534/ });
  assert.deepEqual(readdirSync(theirs), []);
});

test("a link to a directory is as good as its owner", root, async () => {
  await using dir = await createTempDir();
  const [real, link] = [join(dir.path, "real"), join(dir.path, "link")];
  mkdirSync(real, { mode: 0o700 });
  symlinkSync(real, link);
  writeStateFile(join(link, "file"), "x");
  assert.equal(readStateFile(join(real, "file"), secret), "x");
  lchownSync(link, 65_534, 65_534);
  refused(join(link, "file"), /user 65534/);
});

test("a write replaces a link instead of following it", posix, async () => {
  await using dir = await createTempDir();
  const at = (name: string): string => join(dir.path, name);
  const [target, soft, hard] = [at("target"), at("soft"), at("hard")];
  plant(target, 0o600, "kept");
  symlinkSync(target, soft);
  linkSync(target, hard);
  writeStateFile(soft, "new");
  await saveStateFile(hard, "new");
  assert.equal(createStateFile(soft, "newer"), false);
  assert.deepEqual(
    [target, soft, hard].map((path) => readFileSync(path, "utf8")),
    ["kept", "new", "new"],
  );
});

function refused(path: string, message: RegExp): void {
  for (const use of [
    () => readStateFile(path, secret),
    () => writeStateFile(path, "x"),
    () => createStateFile(path, "x"),
  ])
    assert.throws(use, { code: "failed", message });
}

function plant(path: string, mode: number, text = "x"): void {
  writeFileSync(path, text);
  chmodSync(path, mode);
}
