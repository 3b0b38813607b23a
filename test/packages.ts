import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { findTool, toolPackages } from "./fixtures/tools.ts";
import type { Tool } from "./fixtures/tools.ts";

const aptGetPath = "/usr/bin/apt-get";

/**
 * Installs the Debian packages whose programs the end-to-end tests run, where it may: `node test/packages.ts`.
 * Without root or apt-get it says what is missing; the tests that need it are then skipped, and in CI this fails.
 */
function main(): number {
  const wanted = missingPackages();
  if (wanted.length === 0) return 0;
  if (process.getuid?.() === 0 && existsSync(aptGetPath)) install(wanted);
  const missing = missingPackages();
  if (missing.length === 0) return 0;
  const tools = missingTools().join(", ");
  say(`missing: ${missing.join(" ")} (install them as root); tests that need ${tools} are skipped`);
  return process.env["CI"] === "true" ? 1 : 0;
}

function missingTools(): Tool[] {
  const tools = Object.keys(toolPackages) as Tool[]; // Object.keys forgets the literal keys.
  return tools.filter((tool) => !findTool(tool));
}

function missingPackages(): string[] {
  return [...new Set(missingTools().map((tool) => toolPackages[tool]))];
}

function install(packages: readonly string[]): void {
  say(`installing ${packages.join(" ")}`);
  withoutServices(() => {
    if (!aptGet("update", "-qq")) return;
    aptGet("install", "-qq", "--no-install-recommends", ...packages);
  });
}

/** Runs apt-get quietly; its output is shown only when it fails. */
function aptGet(...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status, stdout, stderr } = spawnSync(aptGetPath, args, {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (status !== 0) say(`apt-get ${args[0] ?? ""} failed:\n${stdout}${stderr}`);
  return status === 0;
}

/** Debian asks this program before a package starts its service; 101 means no (invoke-rc.d(8)). */
function withoutServices(work: () => void): void {
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    work();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function say(line: string): void {
  process.stderr.write(`test packages: ${line}\n`);
}

process.exitCode = main();
