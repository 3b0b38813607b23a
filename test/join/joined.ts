import { readFileSync, readdirSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { until } from "../fixtures/within.ts";
import type { Invited } from "./bench.ts";
import { requireProgram, trimPath } from "./programs.ts";
import type { Programs } from "./programs.ts";

/** A machine that runs the join script with hardly any programs. */
export interface Joined extends AsyncDisposable {
  readonly script: Running;
  /** Its folder for temporary files, empty but for what the script puts there. */
  readonly temp: string;
  /** Waits until no process of it lives and no file of it lies about. */
  nothingLeft(): Promise<void>;
}

export interface HowToJoin {
  /** The script's arguments; `--yes` unless told otherwise. */
  readonly args?: readonly string[];
  /** With a terminal of its own, whose keys are the script's `stdin`; without, there is no terminal at all. */
  readonly terminal?: boolean;
  /** What happens to the script on its way. */
  readonly edit?: (script: string) => string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where it is run. */
  readonly cwd?: string;
}

/** Fetches the join script and gives it to a shell's standard input, as `curl URL | sh -s -- --yes` does. */
export async function joinWith(
  invited: Pick<Invited, "url">,
  programs: Programs,
  how: HowToJoin = {},
): Promise<Joined> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir());
  const path = join(folder.path, "bin");
  const shell = await trimPath(path, programs);
  const temp = join(folder.path, "tmp");
  await mkdir(temp);
  const text = await (await fetch(invited.url)).text();
  const input = how.edit ? how.edit(text) : text;
  const env = { PATH: path, TMPDIR: temp, HOME: folder.path, SHELL: "/bin/sh", ...how.env };
  const argv = [...shell, "-s", "--", ...(how.args ?? ["--yes"])];
  const cwd = how.cwd ?? folder.path;
  const file = join(folder.path, "join.sh");
  await writeFile(file, input);
  const script = held.use(
    how.terminal
      ? startProcess(requireProgram("script"), ["-qefc", `cat ${file} | ${argv.join(" ")}`, "/dev/null"], {
          env,
          cwd,
          keepInput: true,
        })
      : startProcess(requireProgram("setsid"), argv, { env, cwd, input }),
  );
  held.defer(async () => await killAll(temp));
  const stack = held.move();
  return {
    script,
    temp,
    nothingLeft: async () => {
      await until(15_000, `processes end: ${processesOf(temp).join(", ")}`, () =>
        processesOf(temp).length === 0 ? true : undefined,
      );
      const files = await readdir(temp);
      if (files.length > 0) throw new Error(`left behind: ${files.join(", ")}`);
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** Processes with this TMPDIR: what a script started has it too, whoever its parent is now. */
export function processesOf(temp: string): number[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.filter((pid) => readEnviron(pid).includes(`TMPDIR=${temp}\0`)).map(Number);
}

function readEnviron(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return ""; // It has ended, or belongs to somebody else.
  }
}

/** Kills them all; again and again, because one that is just being started may be missed. */
export async function killAll(temp: string): Promise<void> {
  await until(15_000, "every process is killed", () => {
    const left = processesOf(temp);
    for (const pid of left) kill(pid);
    return left.length === 0 ? true : undefined;
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
