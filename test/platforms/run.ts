import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fetchEmulator, fetchPlatform } from "./fetch.ts";
import { missingNeed, namespace } from "./needs.ts";
import { platforms } from "./platforms.ts";
import type { Platform } from "./platforms.ts";

/**
 * Runs the kernel pump's tests on the platforms that this machine is not: `node test/platforms/run.ts [PLATFORM|TEST FILE]...`
 * Without a platform on all of them, without a file all that concern the kernel pump. Ends with 0 when all passed, and
 * also where a platform cannot be played: it then says why.
 */
function main(args: readonly string[]): number {
  const need = missingNeed();
  if (need !== undefined) {
    say(`skipped: ${need}`);
    return 0;
  }
  const wanted = platforms.filter(({ name }) => args.includes(name));
  const files = args.filter((arg) => arg.endsWith(".test.ts"));
  const unknown = args.find((arg) => !files.includes(arg) && !wanted.some(({ name }) => name === arg));
  if (unknown !== undefined) {
    say(`${unknown} is none of ${platforms.map(({ name }) => name).join(", ")}, and no test file`);
    return 2;
  }
  const passed = (wanted.length > 0 ? wanted : platforms).map((platform) =>
    runOn(platform, files.length > 0 ? files : kernelPumpTests),
  );
  return passed.every(Boolean) ? 0 : 1;
}

const kernelPumpTests = [
  "test/net/pump/kernel.test.ts",
  "test/net/pump/kernel-worker.test.ts",
  "test/net/pump/kernel-resources.test.ts",
  "test/net/pump/create-pump.test.ts",
  "test/net/pump/probe.test.ts",
  "test/e2e/pump.test.ts",
];

function runOn(platform: Platform, files: readonly string[]): boolean {
  say(`${platform.name}: fetching what is not there yet`);
  const { libraries, node, project } = fetchPlatform(platform);
  const emulator = platform.arch === "arm64" ? fetchEmulator() : "";
  const enter = [...namespace, "sh", join(import.meta.dirname, "enter.sh"), libraries, node, emulator];
  const inside = (...args: readonly string[]): boolean =>
    spawnSync("unshare", [...enter, ...args], { cwd: project, stdio: "inherit" }).status === 0;
  say(`${platform.name}: ${files.join(" ")}`);
  if (!inside("node", "-e", whoAmI)) return false;
  return inside("node", "--test", "--test-concurrency=1", ...files);
}

/** One line that shows which Node, C library and native part of koffi the tests run with. */
const whoAmI = `
  require("koffi");
  const { header, sharedObjects } = process.report.getReport();
  const libc = header.glibcVersionRuntime ? "glibc " + header.glibcVersionRuntime : "musl";
  const native = sharedObjects.find((path) => path.endsWith("koffi.node"));
  console.log("Node", process.version, process.arch, libc, native?.replace(/.*@koromix/, "@koromix"));
`;

function say(line: string): void {
  process.stderr.write(`platforms: ${line}\n`);
}

process.exitCode = main(process.argv.slice(2));
