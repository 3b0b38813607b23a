import { readFile } from "node:fs/promises";
import { startProcess } from "../../fixtures/processes.ts";
import type { Running } from "../../fixtures/processes.ts";
import { skipWithout } from "../../fixtures/tools.ts";
import { requireProgram, skipWithoutPrograms } from "../../join/programs.ts";
import type { Programs } from "../../join/programs.ts";

/** An agent that is one program in one language. */
export interface Language {
  readonly method: "node" | "python3" | "perl";
  readonly file: string;
  readonly words: readonly string[];
  /** The machine on which the join script finds it. */
  readonly machine: Programs;
}

export const languages: readonly Language[] = [
  {
    method: "node",
    file: "agent.mjs",
    words: ["--input-type=module", "-"],
    machine: { shell: "dash", tool: { name: "node" } },
  },
  {
    method: "python3",
    file: "agent.py",
    words: ["-"],
    machine: { shell: "bash", tool: { name: "python3" } },
  },
  { method: "perl", file: "agent.pl", words: ["-"], machine: { shell: "busybox", tool: { name: "perl" } } },
];

export const skipLanguages =
  skipWithout("IO/Socket/SSL.pm") ||
  skipWithoutPrograms("dash", "bash", "busybox", "python3", "perl", "curl", "setsid");

/** Settings with which an agent starts; what is not named is as an honest join script has it. */
export async function startAgent(
  { method, file, words }: Language,
  settings: Readonly<Record<string, string>>,
): Promise<Running> {
  const input = await readFile(new URL(`../../../control/join/sources/${file}`, import.meta.url), "utf8");
  const env = {
    PATH: process.env["PATH"] ?? "",
    RDV_RELAY: "127.0.0.1",
    RDV_PORT: "9",
    RDV_TLS: "",
    RDV_TICKET: ticket,
    RDV_POOL: "1",
    RDV_SECONDS: "600",
    RDV_HOST: "127.0.0.1",
    RDV_HOST_PORT: "9",
    RDV_ADDRESS: "relay.example:20000",
    ...settings,
  };
  const program = method === "node" ? process.execPath : requireProgram(method);
  return startProcess(program, words, { env, input });
}

/** Nobody but the relay may ever see it. */
export const ticket = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
