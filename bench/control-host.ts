import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { describeMachine } from "./machine.ts";
import { memoryBytes } from "./process-usage.ts";

// How many agents the control plane in Node holds in how much memory, and how fast it answers:
// node bench/control-host.ts [AGENTS]. The control plane and its load have processes of their own.

const agents = Number(process.argv[2] ?? 5_000);
const ownerToken = "rdv_admin_0123456789abcdefghijklmnop";
const folder = await mkdtemp(join(tmpdir(), "rdv-bench-"));
const { privateKey } = generateKeyPairSync("ed25519");
const env = {
  ...process.env,
  RDV_SIGNING_KEY: JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid: "bench" }),
  RDV_ADMIN_KEY_HASH: createHash("sha256").update(ownerToken).digest("hex"),
};

const host = start(process.env["RDV_BENCH_HOST"] ?? "control/host.ts", [folder]);
const load = { current: undefined as ReturnType<typeof start> | undefined };
try {
  const { url } = z.object({ url: z.string() }).parse(await host.next());
  const empty = memoryBytes([host.pid]);
  load.current = start("control/load.ts", [url, ownerToken, String(agents)]);
  const connected = z.object({ seconds: z.number() }).parse(await load.current.next());
  const full = memoryBytes([host.pid]);
  const rates = z.record(z.string(), z.number()).parse(await load.current.next());
  const after = memoryBytes([host.pid]);
  const report = {
    at: new Date().toISOString(),
    machine: describeMachine(),
    agents,
    connectSeconds: connected.seconds,
    rssMB: { empty: megabytes(empty), connected: megabytes(full), afterRequests: megabytes(after) },
    requestsPerSecond: rates,
  };
  await mkdir(new URL("results/", import.meta.url), { recursive: true });
  await writeFile(
    new URL("results/control-host.json", import.meta.url),
    `${JSON.stringify(report, undefined, 2)}\n`,
  );
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
} finally {
  load.current?.kill();
  host.kill();
  await rm(folder, { recursive: true });
}

function start(program: string, args: readonly string[]) {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? -1,
    next: async (): Promise<unknown> => {
      const line = await lines.next();
      if (line.done) throw new Error(`${program} has ended`);
      return JSON.parse(line.value);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
