import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { describeMachine } from "./machine.ts";

// How long outages of a fleet last, in network namespaces: node bench/failover.ts [SESSIONS [OUTAGE]], as root.

/** Times in seconds, the rest are counts. */
const Measured = z.object({
  outage: z.string(),
  sessions: z.number(),
  figures: z.record(z.string(), z.number()),
});
type Measured = z.infer<typeof Measured>;

const [sessions = "1000", ...only] = process.argv.slice(2);
const program = fileURLToPath(new URL("../test/netns/measure-failover.ts", import.meta.url));
const child = spawn(process.execPath, [program, sessions, ...only], { stdio: ["ignore", "pipe", "inherit"] });
const measured: Measured[] = [];
for await (const line of createInterface({ input: child.stdout })) {
  const one = Measured.parse(JSON.parse(line));
  measured.push(one);
  process.stdout.write(`${row(one)}\n`);
}
const folder = new URL("results/", import.meta.url);
await mkdir(folder, { recursive: true });
const report = { at: new Date().toISOString(), machine: describeMachine(), measured };
await writeFile(new URL("failover.json", folder), `${JSON.stringify(report, undefined, 2)}\n`);
process.exitCode = child.exitCode ?? 1;

function row({ outage, sessions: count, figures }: Measured): string {
  const cells = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  return `${outage.padEnd(38)} ${String(count).padStart(5)} sessions   ${cells.join(", ")}`;
}
