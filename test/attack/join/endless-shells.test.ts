import assert from "node:assert/strict";
import { createServer } from "node:net";
import { attack } from "../../fixtures/attack.ts";
import { until } from "../../fixtures/within.ts";
import { claimLines, startHostileControl } from "./hostile-control.ts";
import { listenOn } from "./hostile-relay.ts";
import { machines, skipMachines } from "./machines.ts";
import { createTrap, startVictim } from "./victim.ts";

const shells = machines.filter(({ method }) => method === "socat");
const endless = [
  ["HTTP/1.1 503 Busy\r\nX: ", "x".repeat(60_000)],
  ["HTTP/1.1 409 Conflict\r\n\r\n", "x".repeat(60_000)],
  ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["", "y".repeat(60_000)],
] as const;

attack(
  {
    point: 1,
    title:
      "the relay answers a shell without end: in one line, in a body, and by saying again and again that it waits",
    from: import.meta.url,
    options: { skip: skipMachines, concurrency: true },
  },
  async (t) => {
    await Promise.all(
      endless.flatMap(([start, more]) =>
        shells.map(async (machine) => {
          await t.test(`${machine.title}, ${JSON.stringify(start)}`, async () => {
            await using relay = await startEndlessRelay(start, more);
            await using control = await startHostileControl({
              claim: (response) => response.end(claimLines(relay.port)),
            });
            await using trap = await createTrap();
            await using victim = await startVictim(control.url, machine, trap, {
              env: { RDV_METHOD: "socat" },
            });
            await until(60_000, "the half gives up and another one comes", () => {
              assert.ok(victim.memory() < 256 * 1024 * 1024, `it holds ${victim.memory()} bytes`);
              return relay.came() > 1 ? true : undefined;
            });
            await victim.unharmed();
          });
        }),
      ),
    );
    return {
      tries: shells.length * endless.length,
      answer: "each half takes one answer for 15 s at most, and stays small",
    };
  },
);

async function startEndlessRelay(
  start: string,
  more: string,
): Promise<AsyncDisposable & { readonly port: number; came(): number }> {
  let came = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {}); // The victim may cut it.
    socket.resume();
    came += 1;
    const write = (): void => {
      if (socket.destroyed) return;
      if (socket.write(more)) setImmediate(write);
      else socket.once("drain", write);
    };
    socket.write(start);
    write();
  });
  return { ...(await listenOn(server)), came: () => came };
}
