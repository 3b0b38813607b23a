import { spawnSync } from "node:child_process";
import { platform, arch } from "node:process";
import { existsSync } from "node:fs";

/** Why another platform cannot be played on this machine, or undefined when it can. */
export function missingNeed(): string | undefined {
  if (platform !== "linux" || arch !== "x64") return `it needs Linux on x64, this is ${platform} ${arch}`;
  if (!existsSync(debianSources)) return `it needs Debian's package lists (${debianSources})`;
  const missing = programs.filter((program) => !succeeds("sh", ["-c", `command -v ${program}`]));
  if (missing.length > 0) return `missing programs: ${missing.join(", ")}`;
  if (!succeeds("unshare", [...namespace, "sh", "-c", tryMounts]))
    return "it needs user namespaces that may mount overlay and binfmt_misc (Linux 6.7 or newer)";
  return undefined;
}

/** Options of unshare(1): a namespace of users and mounts, with the rights of root inside. */
export const namespace = ["--user", "--map-root-user", "--mount"] as const;

/** Where Debian says which mirrors it uses. */
export const debianSources = "/etc/apt/sources.list.d/debian.sources";

const programs = ["apt-get", "dpkg-deb", "git", "npm", "pip", "tar", "unshare", "unzip"];
const tryMounts =
  "mount -t overlay -o lowerdir=/usr/bin:/usr/lib overlay /usr/lib && mount -t binfmt_misc x /proc/sys/fs/binfmt_misc";

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}
