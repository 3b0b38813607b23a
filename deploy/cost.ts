/** Prints the monthly cost on Workers as Markdown: `node deploy/cost.ts [AGENTS] [RELAYS] [CONNECTS-PER-DAY]`. */
import { costOf } from "./cost-model.ts";
import type { Cost } from "./cost-model.ts";

const [agents = 10_000, relays = 100, connectsPerDay = 2] = process.argv.slice(2).map(Number);
if ([agents, relays, connectsPerDay].every((count) => count >= 0))
  process.stdout.write(format(costOf({ agents, relays, connectsPerDay })));
else {
  process.stderr.write("Usage: node deploy/cost.ts [AGENTS] [RELAYS] [CONNECTS-PER-DAY]\n");
  process.exitCode = 2;
}

function format({ lines, total, dollars }: Cost): string {
  const rows = [...lines, { what: "**together**", usage: total }].map(({ what, usage }) => [
    what,
    millions(usage.workerRequests),
    millions(usage.objectRequests),
    millions(usage.gigabyteSeconds),
    millions(usage.rowsRead),
    millions(usage.rowsWritten),
  ]);
  const { workerRequests, objectRequests, gigabyteSeconds, rowsRead, rowsWritten, sum } = dollars;
  const paid = [workerRequests, objectRequests, gigabyteSeconds, rowsRead, rowsWritten].map(
    (amount) => `$${amount.toFixed(2)}`,
  );
  const header = [
    "in a month, millions",
    "Worker requests",
    "object requests",
    "GB-s",
    "rows read",
    "rows written",
  ];
  const table = [header, header.map(() => "---"), ...rows, ["beyond what is included", ...paid]];
  return `${table.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n\nTogether with the base price: **$${sum.toFixed(2)} a month**.\n`;
}

function millions(count: number): string {
  return (count / 1e6).toFixed(2);
}
