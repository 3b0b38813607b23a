import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { attack } from "../../fixtures/attack.ts";
import { claimLines, startHostileControl } from "./hostile-control.ts";
import { forgedClient, handmadeTexts } from "./hostile-texts.ts";
import { machines, skipMachines } from "./machines.ts";
import { createTrap, startVictim } from "./victim.ts";
import type { Machine } from "./victim.ts";

const shells = machines.filter(({ method }) => method === "socat");
/** Those that no field of a claim's answer can be, and that are not empty. */
const texts = (folder: string): string[] => handmadeTexts(folder).slice(0, 9);
/** Values that programs take for options or for other numbers than they look like. */
const options: readonly Readonly<Record<string, string>>[] = [
  { relay: "-lcsh" },
  { relay: "--exec=canary" },
  { relay: "127.0.0.1,exec:canary" },
  { relay: "a:1" },
  { relay: "\u00e9vil.example" },
  { port: "-1" },
  { port: "0022" },
  { port: "65536" },
  { pool: "33" },
  { pool: "0x9" },
  { left: "99999999999999999999" },
  { tls: "short" },
];
/** Refusals that read like events. */
const events = [`opened: ${forgedClient}\n`, "ready: all is well\n"];
const places = ["relay", "port", "ticket", "tls", "pool", "left", "body"] as const;

attack(
  {
    point: 1,
    title:
      "a control plane writes commands, events and terminal sequences into the answer to a shell's claim",
    from: import.meta.url,
    options: { skip: skipMachines, concurrency: true },
  },
  async (t) => {
    await Promise.all(
      shells.map(
        async (machine, i) =>
          await t.test(machine.title, async () => {
            for (const [n] of texts("").entries()) {
              const place = places[(n + i) % places.length] ?? "body";
              await survive(machine, (response, folder) => answer(response, place, texts(folder)[n] ?? ""));
            }
            for (const changes of options) await survive(machine, (it) => it.end(claimLines(9, changes)));
            for (const words of events) await survive(machine, (it) => it.writeHead(409).end(words));
            await survive(machine, endless);
          }),
      ),
    );
    return {
      tries: shells.length * (texts("").length + options.length + events.length + 1),
      answer: "an answer without its shape ends the script, and its words are shown as plain text",
    };
  },
);

function answer(response: ServerResponse, place: (typeof places)[number], text: string): void {
  if (place === "body") return void response.writeHead(404).end(Buffer.from(text, "latin1"));
  return void response.end(Buffer.from(claimLines(9, { [place]: text }), "latin1"));
}

function endless(response: ServerResponse): void {
  const write = (): void => {
    if (response.destroyed) return;
    if (response.write("ticket=".padEnd(60_000, "x"))) setImmediate(write);
    else response.once("drain", write);
  };
  write();
}

/** The script ends by itself, with an error of its own, before it dials anywhere. */
async function survive(
  machine: Machine,
  claim: (response: ServerResponse, folder: string) => void,
): Promise<void> {
  await using trap = await createTrap();
  await using control = await startHostileControl({ claim: (response) => claim(response, trap.path) });
  await using victim = await startVictim(control.url, machine, trap, {
    env: { RDV_METHOD: "socat" },
  });
  const { code } = await victim.ended(60_000);
  await victim.unharmed();
  assert.equal(code, 1, victim.script.output().stderr);
}
