import { accessSync, constants } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { runOk } from "../fixtures/processes.ts";

/** The only programs that an environment has; `busybox` means that busybox plays all of them. */
export interface Programs {
  readonly shell: "dash" | "bash" | "zsh" | "busybox";
  /** What the join script is to find: `nc` of busybox, for example. */
  readonly tool: Program;
  /** Other programs that it could find. */
  readonly others?: readonly Program[];
}

/** A program's name on the PATH, and what it is really. */
export interface Program {
  readonly name: string;
  readonly from?: string;
}

/** What the script uses besides the method's own program. */
const common = "od tr uname id date cat cut head mkdir mkfifo dd rm ls sed grep sleep sha256sum".split(" ");

/** Absolute path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "" && !folder.includes("shims"));
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Why a test that needs these programs is skipped, or false; in CI nothing is skipped. */
export function skipWithoutPrograms(...names: readonly string[]): string | false {
  const missing = names.filter((name) => !findProgram(name));
  if (missing.length === 0 || process.env["CI"] === "true") return false;
  return `${missing.join(", ")} missing: run \`node test/packages.ts\` as root`;
}

/** Makes a folder that is to be the whole PATH, and gives the shell's command line. */
export async function trimPath(folder: string, programs: Programs): Promise<readonly string[]> {
  const { shell, tool, others = [] } = programs;
  await mkdir(folder, { recursive: true });
  const busy = shell === "busybox";
  const fetcher = busy ? "wget" : "curl";
  for (const name of [...common, fetcher])
    await symlink(requireProgram(busy ? "busybox" : name), join(folder, name));
  for (const { name, from = name } of [tool, ...others])
    await symlink(await realProgram(from), join(folder, name));
  return busy ? [requireProgram("busybox"), "ash"] : [requireProgram(shell)];
}

/** Absolute path of a program that must be there. */
export function requireProgram(name: string): string {
  const path = findProgram(name);
  if (!path) throw new Error(`${name} is missing: run \`node test/packages.ts\``);
  return path;
}

/** The program itself where a version manager's wrapper would need more of the PATH. */
async function realProgram(name: string): Promise<string> {
  if (isAbsolute(name)) return name;
  if (name === "node") return process.execPath;
  if (name !== "python3") return requireProgram(name);
  return (await runOk("python3", ["-c", "import sys; print(sys.executable)"])).trim();
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
