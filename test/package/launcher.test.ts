import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isListening, untilListening } from "../fixtures/listeners.ts";
import { run, startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { createUpPlace } from "../fixtures/rendezvous.ts";
import type { UpPlace } from "../fixtures/rendezvous.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { within } from "../fixtures/within.ts";
import { version } from "../../protocol/version.ts";

const repository = join(import.meta.dirname, "../..");
const launcher = join(repository, "bin/rdv.js");
/** Makes this Node pass for an old one in the launcher alone: the Node that the launcher starts is the real one. */
const posingAsOld = [
  "--import",
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.9.0"}})',
];

test("an old Node hands over to the clone's own: output and exit codes are the command's", async () => {
  const right = await run(process.execPath, [...posingAsOld, launcher, "--version"]);
  assert.deepEqual([right.code, right.stdout, right.stderr], [0, `${version}\n`, ""]);
  const wrong = await run(process.execPath, [...posingAsOld, launcher, "no-such-command"]);
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /^rdv: [^\n]*no-such-command[^\n]*\n$/);
});

test("standard input reaches the command, and a command killed by a signal kills the launcher the same way", async () => {
  await using folder = await createTempDir();
  const file = await makeInstallation(folder.path, { node: true, clone: true });
  const echoed = await run(process.execPath, [...posingAsOld, file, "cat"], { input: "said\n" });
  assert.deepEqual([echoed.code, echoed.stdout, echoed.stderr], [0, "said\n", ""]);
  const killed = await run(process.execPath, [...posingAsOld, file, "die"]);
  assert.deepEqual([killed.code, killed.signal], [null, "SIGKILL"]);
});

test("an interrupted launcher ends the command in order, with 130", async () => {
  await using place = await createUpPlace();
  await using launched = await launchUp(place);
  launched.kill("SIGINT");
  const exit = await within(10_000, launched.exited, () => "the launcher ends");
  assert.deepEqual(exit, { code: 130, signal: null });
  await untilListening(place.block.port(0), false);
});

test("a launcher that is killed takes the command with it", async () => {
  await using place = await createUpPlace();
  await using launched = await launchUp(place);
  const port = place.block.port(0);
  using _ = killedAtLast(childOf(launched.pid), () => isListening(port));
  launched.kill("SIGKILL");
  await within(20_000, untilListening(port, false), () => "the command goes on");
});

test("without the right Node, or without the dependencies, one line says what to do", async () => {
  await using folder = await createTempDir();
  const cases: readonly (readonly [Parts, RegExp])[] = [
    [{ node: false, clone: false }, /20\.9\.0 is too old: install Node 22\.13 or newer/],
    [{ node: false, clone: true, modules: true }, /20\.9\.0 is too old: run `npm install`/],
    [{ node: false, clone: true }, /dependencies are missing: run `npm install`/],
  ];
  for (const [index, [parts, expected]] of cases.entries()) {
    const file = await makeInstallation(join(folder.path, String(index)), parts);
    const { code, stdout, stderr } = await run(process.execPath, [...posingAsOld, file, "--version"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^rdv: [^\n]+\n$/);
    assert.match(stderr, expected);
  }
});

interface Parts {
  /** With a Node of its own in `node_modules`. */
  readonly node: boolean;
  /** With sources, as in a clone. */
  readonly clone: boolean;
  /** With an empty `node_modules`. */
  readonly modules?: boolean;
}

/** Puts the launcher beside a stand-in for the command and gives the launcher's path. */
async function makeInstallation(folder: string, { node, clone, modules = node }: Parts): Promise<string> {
  await mkdir(join(folder, "bin"), { recursive: true });
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await cp(launcher, join(folder, "bin/rdv.js"));
  if (modules) await mkdir(join(folder, "node_modules"));
  if (node) await symlink(join(repository, "node_modules/node"), join(folder, "node_modules/node"));
  if (clone) {
    await mkdir(join(folder, "cli"));
    await writeFile(join(folder, "cli/main.ts"), standIn);
  }
  return join(folder, "bin/rdv.js");
}

const standIn = `
process.channel?.unref();
if (process.argv[2] === "die") process.kill(process.pid, "SIGKILL");
process.stdin.pipe(process.stdout);
process.stdin.on("end", () => process.disconnect());
`;

/** `rdv up` through the launcher, when it is ready. */
async function launchUp(place: UpPlace): Promise<Running> {
  const env = { ...process.env, HOME: place.stateDir, RDV_STATE_DIR: place.stateDir };
  const args = [...posingAsOld, launcher, ...place.args, "--json"];
  await using held = new AsyncDisposableStack();
  const running = held.use(startProcess(process.execPath, args, { env }));
  await running.says('"ready"');
  held.move();
  return running;
}

/** The one child of a process. */
function childOf(parent: number): number {
  return Number(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8"));
}

/** An orphan that goes on would keep this test's pipes open. */
function killedAtLast(pid: number, goesOn: () => boolean): Disposable {
  return {
    [Symbol.dispose]() {
      if (goesOn()) process.kill(pid, "SIGKILL");
    },
  };
}
