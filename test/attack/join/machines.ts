import { skipWithoutPrograms } from "../../join/programs.ts";
import type { Program } from "../../join/programs.ts";
import type { Machine } from "./victim.ts";

/** One shell with one program that it drives. */
export interface ShellMachine extends Machine {
  readonly title: string;
  readonly method: "socat" | "ncat" | "nc" | "bash";
}

const shells = [
  { title: "dash", shell: "dash" },
  { title: "bash", shell: "bash" },
  { title: "bash --posix", shell: "bash", shellWords: ["--posix"] },
  { title: "busybox ash", shell: "busybox" },
  { title: "zsh", shell: "zsh" },
] as const;

/** Every shell with every program that agent.sh can use. */
export const machines: readonly ShellMachine[] = shells.flatMap((shell) =>
  (["socat", "ncat", "nc", "bash"] as const).map((method) => ({
    ...shell,
    title: `${shell.title}, ${method}`,
    method,
    tool: toolOf(method, shell.shell),
  })),
);

/** Why these tests are skipped here, or false. */
export const skipMachines = skipWithoutPrograms(
  "dash",
  "bash",
  "busybox",
  "zsh",
  "socat",
  "ncat",
  "nc.openbsd",
  "curl",
  "setsid",
);

function toolOf(method: ShellMachine["method"], shell: Machine["shell"]): Program {
  if (method !== "nc") return { name: method };
  return { name: "nc", from: shell === "busybox" ? "busybox" : "nc.openbsd" };
}
