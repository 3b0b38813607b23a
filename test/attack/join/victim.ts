import assert from "node:assert/strict";
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProcess } from "../../fixtures/processes.ts";
import type { Exit, Running } from "../../fixtures/processes.ts";
import { residentBytes } from "../../fixtures/process-tree.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import type { TempDir } from "../../fixtures/temp-dir.ts";
import { until, within } from "../../fixtures/within.ts";
import { killAll, processesOf } from "../../join/joined.ts";
import { requireProgram, trimPath } from "../../join/programs.ts";
import type { Programs } from "../../join/programs.ts";
import { shownAddress } from "./hostile-control.ts";
import { forgedClient } from "./hostile-texts.ts";

/** A machine of somebody who pasted the line, with traps for injected commands: `canary` on its PATH, and a folder. */
export interface Victim extends AsyncDisposable {
  readonly script: Running;
  /** Ends when the script has ended and nothing of it runs; fails with its output after `ms`. */
  ended(ms: number): Promise<Exit>;
  /** Memory of all its processes now, in bytes. */
  memory(): number;
  /** Fails when a command ran, an event was forged, or the person saw anything but plain lines. */
  unharmed(): Promise<void>;
}

/** Whose machine it is. */
export interface Machine extends Programs {
  /** Words between the shell and `-s`. */
  readonly shellWords?: readonly string[];
}

export interface Pasted {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Programs that are there besides: name and text of a script. */
  readonly programs?: Readonly<Record<string, string>>;
}

/** Where texts that attack may write files, and where `canary` writes one. */
export async function createTrap(): Promise<TempDir> {
  return await createTempDir();
}

/** Pastes the line: fetches the script and gives it to a shell. */
export async function startVictim(
  url: string,
  machine: Machine,
  trap: TempDir,
  { args = ["--yes"], env = {}, programs = {} }: Pasted = {},
): Promise<Victim> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir());
  const bin = join(folder.path, "bin");
  const shell = await trimPath(bin, machine);
  const temp = join(folder.path, "tmp");
  await mkdir(temp);
  await mkdir(join(folder.path, "home"));
  const canary = `#!/bin/sh\n: >"${trap.path}/owned-$$"\n`;
  // Pauses between halves are for relays that are away; here they would only cost time.
  const sleep = `#!/bin/sh\n[ "$1" -gt 60 ] || set -- 0.1\nexec ${requireProgram("sleep")} "$1"\n`;
  for (const [name, text] of Object.entries({ canary, sleep, ...programs })) {
    await rm(join(bin, name), { force: true });
    await writeFile(join(bin, name), text);
    await chmod(join(bin, name), 0o755);
  }
  const input = await (await fetch(url)).text();
  const argv = [...shell, ...(machine.shellWords ?? []), "-s", "--", ...args];
  const script = held.use(
    startProcess(requireProgram("setsid"), argv, {
      env: { PATH: bin, TMPDIR: temp, HOME: join(folder.path, "home"), SHELL: "/bin/sh", ...env },
      cwd: join(folder.path, "home"),
      input,
    }),
  );
  held.defer(async () => await killAll(temp));
  const stack = held.move();
  return {
    script,
    ended: async (ms) => {
      const exit = await within(ms, script.exited, () => JSON.stringify(script.output()));
      await until(20_000, `processes end: ${processesOf(temp).join(", ")}`, () =>
        processesOf(temp).length === 0 ? true : undefined,
      );
      return exit;
    },
    memory: () => processesOf(temp).reduce((sum, pid) => sum + residentOrNone(pid), 0),
    unharmed: async () => {
      const { stdout, stderr } = script.output();
      const owned = (await readdir(trap.path)).filter((name) => name.startsWith("owned"));
      assert.deepEqual(owned, [], `a command ran: ${stderr}`);
      assert.deepEqual(await readdir(join(folder.path, "home")), [], "a file appeared");
      judge(stdout + stderr);
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** What a person reads are whole lines of plain text, each in rdv's own words. */
export function judge(output: string): void {
  // C0 but the line's end, C1, format characters (bidi, tags), halves of characters; U+FFFD is a byte that is no UTF-8.
  const odd = /[^\P{C}\n]|[\u2028\u2029\ufffd]/u.exec(output);
  assert.equal(odd, null, `a control character reached the terminal: ${JSON.stringify(odd)}`);
  const lines = output.split("\n").filter((line) => line !== "");
  const said = lines.filter((line) => !line.startsWith("  "));
  for (const line of said) {
    assert.match(line, /^rdv: /, `not in rdv's words: ${line.slice(0, 200)}`);
    assert.ok(line.length <= 400, `a line of ${line.length} characters: ${line.slice(0, 400)}`);
    const event = /^rdv: (opened|closed|ready): ?(\S*)/.exec(line);
    const [, name, about = ""] = event ?? [];
    if (name === "ready") assert.equal(about, shownAddress, line);
    else if (name) assert.match(about, /^(\[[0-9a-fA-F:.]{2,45}\]|[0-9.]{7,15}):\d{1,5},?$|^\?,?$/, line);
    if (name) assert.ok(!about.startsWith(forgedClient), `a forged event: ${line}`);
  }
  const ready = said.filter((line) => line.startsWith("rdv: ready:"));
  assert.ok(ready.length <= 1, `ready ${ready.length} times`);
}

/** How often it said so. */
export function count(victim: Victim, event: "opened" | "closed" | "ready"): number {
  const { stdout, stderr } = victim.script.output();
  return (stdout + stderr).split("\n").filter((line) => line.startsWith(`rdv: ${event}:`)).length;
}

function residentOrNone(pid: number): number {
  try {
    return residentBytes(pid) || 0;
  } catch {
    return 0; // It has just ended.
  }
}
