import { readFileSync, readdirSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { until } from "../fixtures/within.ts";
import type { Invited } from "./bench.ts";
import { trimPath } from "./programs.ts";
import type { Programs } from "./programs.ts";

/** A machine that runs the join script with hardly any programs. */
export interface Joined extends AsyncDisposable {
  readonly script: Running;
  /** Waits until no process of it lives and no file of it lies about. */
  nothingLeft(): Promise<void>;
}

/** Fetches the join script and gives it to a shell's standard input, as `curl URL | sh -s -- --yes` does. */
export async function joinWith(invited: Pick<Invited, "url">, programs: Programs): Promise<Joined> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir());
  const [command = "", ...args] = await trimPath(join(folder.path, "bin"), programs);
  const temp = join(folder.path, "tmp");
  await mkdir(temp);
  const input = await (await fetch(invited.url)).text();
  const env = { PATH: join(folder.path, "bin"), TMPDIR: temp, HOME: folder.path };
  const script = held.use(startProcess(command, [...args, "-s", "--", "--yes"], { env, input }));
  held.defer(() => killAll(temp));
  const stack = held.move();
  return {
    script,
    nothingLeft: async () => {
      await until(5_000, `processes end: ${processesOf(temp).join(", ")}`, () =>
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

function killAll(temp: string): void {
  for (const pid of processesOf(temp))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
}
