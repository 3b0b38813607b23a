import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { describeMachine } from "./machine.ts";
import { formatNumber } from "./table.ts";

// Direct connections in network namespaces: node bench/direct.ts [TRIES], as root. Writes results/direct.json and the
// figures of docs/direct.md. The namespaces have no delay: what is measured is what the programs and the machine take.

const Measured = z.discriminatedUnion("what", [
  /** Milliseconds: to learn its own outside ports, and from then until both have met. */
  z.object({
    what: z.literal("meetings"),
    agent: z.string(),
    client: z.string(),
    tries: z.number(),
    met: z.number(),
    askP50: z.number(),
    askP99: z.number(),
    openP50: z.number().optional(),
    openP99: z.number().optional(),
  }),
  /** Milliseconds from connect to the service's first byte. */
  z.object({ what: z.literal("first byte"), path: z.string(), p50: z.number(), p99: z.number() }),
  /** Of one stream; `of1Gbit`: what arrives when 1 Gbit/s is offered. */
  z.object({
    what: z.literal("stream"),
    way: z.string(),
    upGbit: z.number(),
    downGbit: z.number(),
    of1Gbit: z.number(),
  }),
]);
type Measured = z.infer<typeof Measured>;

const page = new URL("../docs/direct.md", import.meta.url);
const begin = "<!-- measured: begin -->";
const end = "<!-- measured: end -->";

const [tries = "200"] = process.argv.slice(2);
const program = fileURLToPath(new URL("../test/netns/measure-direct.ts", import.meta.url));
const machine = describeMachine();
const child = spawn(process.execPath, [program, tries], { stdio: ["ignore", "pipe", "inherit"] });
const measured: Measured[] = [];
for await (const line of createInterface({ input: child.stdout })) {
  process.stdout.write(`${line}\n`);
  measured.push(Measured.parse(JSON.parse(line)));
}
const report = { at: new Date().toISOString(), machine, measured };
await writeFile(new URL("results/direct.json", import.meta.url), `${JSON.stringify(report, undefined, 2)}\n`);
await writeFile(page, withFigures(await readFile(page, "utf8")));

function withFigures(text: string): string {
  const [before = "", rest = ""] = text.split(begin);
  const [, after = ""] = rest.split(end);
  const tables = [meetings(), firstBytes(), streams()].join("\n\n");
  return `${before}${begin}\n\n${tables}\n\n${end}${after}`;
}

function meetings(): string {
  const rows = measured.flatMap((one) =>
    one.what === "meetings"
      ? [[one.agent, one.client, `${one.met} of ${one.tries}`, ms(one.openP50), ms(one.openP99)]]
      : [],
  );
  return table(["agent", "client", "met", "open p50", "open p99"], rows);
}

function firstBytes(): string {
  const rows = measured.flatMap((one) =>
    one.what === "first byte" ? [[one.path, ms(one.p50), ms(one.p99)]] : [],
  );
  return table(["connect to first byte", "p50", "p99"], rows);
}

function streams(): string {
  const rows = measured.flatMap((one) =>
    one.what === "stream" ? [[one.way, gbit(one.upGbit), gbit(one.downGbit), gbit(one.of1Gbit)]] : [],
  );
  return table(["one stream", "up", "down", "when 1 Gbit/s is offered"], rows);
}

/** As the formatter of the repository writes it, so that it leaves the page alone. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const sizes = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(sizes[column] ?? 0)).join(" | ")} |`;
  return [line(head), `| ${sizes.map((size) => "-".repeat(size)).join(" | ")} |`, ...rows.map(line)].join(
    "\n",
  );
}

function ms(value: number | undefined): string {
  return value === undefined ? "" : `${formatNumber(value)} ms`;
}

function gbit(value: number): string {
  return `${formatNumber(value)} Gbit/s`;
}
