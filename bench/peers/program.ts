import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withDescendants } from "../process-usage.ts";
import type { Probe } from "../model.ts";
import { listeningPorts } from "./ports.ts";

/** A started program; disposing of it ends it with all its descendants. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** What it has written to both outputs. */
  output(): string;
  /** Waits until the output matches, and returns the match. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Waits until something listens on this loopback port; nobody connects to it for that. */
  listens(port: number): Promise<void>;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
}

const startMs = 20_000;
const stopMs = 2_000;
/** A chatty program must not fill this process's memory. */
const keptOutput = 64 * 1024;

/** Starts a program in a session of its own, so that a Ctrl-C reaches this process alone, which then ends the program. */
export function startProgram(
  command: string,
  args: readonly string[],
  { env = {} }: ProgramOptions = {},
): Program {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    detached: true,
  });
  const pid = child.pid ?? -1;
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-keptOutput);
    });
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      over = true;
      resolve();
    };
    child.once("close", end).once("error", end);
  });
  const until = async <T>(what: string, look: () => T | null): Promise<T> =>
    await poll(`${command} to ${what}`, () => look() ?? (over ? fail(command, output) : null));
  /* For an end without disposal, such as a second Ctrl-C. */
  const lastWord = (): void => killAll([pid]);
  process.once("exit", lastWord);
  return {
    pid,
    ended,
    output: () => output,
    says: async (pattern) => await until(`say ${pattern.source}`, () => pattern.exec(output)),
    listens: async (port) =>
      void (await until(`listen on port ${port}`, () => (listeningPorts().has(port) ? true : null))),
    [Symbol.asyncDispose]: async () => {
      await stop(child, ended);
      process.off("exit", lastWord);
    },
  };
}

/** Looks for a program on the PATH, and where Debian puts daemons. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Installed or not, and the version: the first match of `pattern` in what `program args` prints. */
export async function probeProgram(name: string, args: readonly string[], pattern: RegExp): Promise<Probe> {
  const path = findProgram(name);
  if (path === undefined) return { installed: false, reason: `${name} is not on the PATH` };
  const printed = await new Promise<string>((resolve) => {
    execFile(path, args, { timeout: 5_000 }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
  return { installed: true, version: pattern.exec(printed)?.[1] ?? "unknown" };
}

/** Tries every few milliseconds until there is an answer. */
async function poll<T>(what: string, look: () => T | null): Promise<T> {
  for (const end = performance.now() + startMs; performance.now() < end; await sleep(10)) {
    const found = look();
    if (found !== null) return found;
  }
  throw new Error(`waited ${startMs / 1000} s in vain for ${what}`);
}

/** The line that names an error, if one does, is worth more than the last one. */
function fail(command: string, output: string): never {
  const lines = output.trim().split("\n");
  const why = lines.filter((line) => /error|fatal|alert/i.test(line)).at(0) ?? lines.at(-1) ?? "";
  throw new Error(`${command} ended early: ${why.trim().slice(0, 300)}`);
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.pid === undefined) return;
  const family = withDescendants([child.pid]);
  child.kill("SIGTERM");
  await Promise.race([ended, sleep(stopMs)]);
  killAll(family);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

function killAll(roots: readonly number[]): void {
  for (const pid of withDescendants(roots))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      /* It has ended by itself. */
    }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
