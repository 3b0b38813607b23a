import assert from "node:assert/strict";
import type { Ticket } from "../../../protocol/tickets.ts";
import { dialClient } from "../../relay-node/harness.ts";
import type { Half } from "../../relay-node/harness.ts";
import type { LegBench } from "./legs.ts";

export interface Pair {
  readonly agent: Half;
  readonly client: Half;
}

/** Pairs of a session of their own, and halves that wait. */
interface Started {
  readonly pairs: readonly Pair[];
  readonly halves: readonly Half[];
  readonly session: string;
  readonly expires: number;
}

let sessions = 0;

/** Makes a new session with so many pairs, and so many halves that wait beside them. */
export async function startPairs(
  legs: LegBench,
  count: number,
  terms: Partial<Ticket>,
  waiting = 0,
): Promise<Started> {
  const { bench } = legs;
  sessions += 1;
  const session = `s_places${String(sessions).padStart(20, "0")}`;
  const expires = Math.floor(Date.now() / 1_000) + 3_600;
  const ticket = await bench.ticket({ session, expires, ...terms });
  const halves = await Promise.all(
    Array.from({ length: count + waiting }, async () => await legs.half("agent", ticket)),
  );
  for (const half of halves) assert.equal((await half.answer()).type, "waiting");
  const clients = await Promise.all(Array.from({ length: count }, async () => await dialClient(bench)));
  // The relay takes the newest half first; which client it is given does not matter here.
  const paired = halves.slice(waiting);
  for (const half of paired) assert.equal((await half.answer()).type, "paired");
  const pairs = paired.flatMap((agent, at) => {
    const client = clients[at];
    return client ? [{ agent, client }] : [];
  });
  return { pairs, halves: halves.slice(0, waiting), session, expires };
}
