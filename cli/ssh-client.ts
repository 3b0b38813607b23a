import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { shellWord } from "./shell-word.ts";

/** How ssh reaches a session: the command that carries its bytes. */
export interface SshWay {
  /** This very rdv, as a program and its first arguments. */
  readonly self: readonly string[];
  /** Options that lead to the control plane; secrets are not among them. */
  readonly options: readonly string[];
  /** Name, id or NAME#FINGERPRINT. */
  readonly address: string;
  /** Name or id alone: under it ssh remembers the host's key. */
  readonly session: string;
}

/** The program that runs now, so that ssh finds it where nothing is installed, too. */
export function selfCommand(): string[] {
  const launcher = ["../bin/rdv.js", "../../bin/rdv.js"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return [process.execPath, launcher.find((path) => existsSync(path)) ?? process.argv[1] ?? ""];
}

/** Arguments of ssh for a session; `args` are the user's own, options and command. */
export function sshArguments(way: SshWay, user: string | undefined, args: readonly string[]): string[] {
  const settings = [`ProxyCommand=${proxyCommand(way)}`, `HostKeyAlias=${way.session}`];
  const destination = user === undefined ? way.session : `${user}@${way.session}`;
  return [...settings.flatMap((setting) => ["-o", setting]), destination, ...args];
}

/** A block for ssh_config(5). With it ssh, scp, rsync and git reach the session by its name. */
export function sshConfig(way: SshWay): string[] {
  const { session } = way;
  return [`Host ${session}`, `  HostKeyAlias ${session}`, `  ProxyCommand ${proxyCommand(way)}`, ""];
}

/** ssh gives it to the user's shell, after it has replaced what begins with a percent sign. */
function proxyCommand({ self, options, address }: SshWay): string {
  const words = [...self, "connect", "--stdio", ...options, "--", address];
  return words.map(shellWord).join(" ").replaceAll("%", "%%");
}
