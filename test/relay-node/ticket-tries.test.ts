import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { formatHalfRequest } from "../../protocol/handshake.ts";
import { limits } from "../../protocol/limits.ts";
import { createProofKey } from "../../protocol/proof.ts";
import { createTicketTries } from "../../relay-node/ticket-tries.ts";
import { dialHalf, readHalf, startBench, waitingHalf } from "./harness.ts";
import type { Bench, Half } from "./harness.ts";

const { burst, perSecond } = limits.wrongTicketRate;

/** The statuses with which one source's halves are refused, counted. */
async function statuses(halves: readonly Promise<Half>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const half of await Promise.all(halves)) {
    const answer = await half.answer();
    const status = answer.type === "refused" ? answer.status : 100;
    counts[status] = (counts[status] ?? 0) + 1;
    half.socket.destroy();
  }
  return counts;
}

/** As many halves as are asked for, all at once. */
function many(count: number, dial: () => Promise<Half>): Promise<Half>[] {
  return Array.from({ length: count }, dial);
}

function forge(ticket: string): string {
  const [head, body] = ticket.split(".");
  return `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`;
}

async function dialFrom(localAddress: string, bench: Bench, ticket: string): Promise<Half> {
  const socket = connect({ host: "127.0.0.1", port: bench.relay.sharedPort, localAddress });
  socket.write(formatHalfRequest("agent", "relay", ticket));
  return readHalf(socket);
}

test("a source that shows too many wrong tickets is refused unseen, and nobody else is", async () => {
  const clock = { now: Date.now() };
  await using bench = await startBench({ now: () => clock.now });
  const known = await bench.ticket();
  await waitingHalf(bench, known);
  const forged = forge(known);
  const flood = await statuses(many(burst + 50, async () => dialHalf(bench, forged)));
  assert.deepEqual(flood, { 401: burst, 429: 50 });

  const fresh = await bench.ticket({ pairs: 5 });
  assert.deepEqual(await statuses([dialHalf(bench, fresh)]), { 429: 1 });
  // Whoever is known already goes on, and so does every other source.
  await waitingHalf(bench, known);
  assert.deepEqual(await statuses([dialFrom("127.0.0.2", bench, fresh)]), { 100: 1 });

  clock.now += 1_000;
  const later = await statuses(many(perSecond + 5, async () => dialHalf(bench, forged)));
  assert.deepEqual(later, { 401: perSecond, 429: 5 });
});

test("wrong proofs of a ticket that was read on the way count as wrong tickets do", async () => {
  const clock = { now: Date.now() };
  await using bench = await startBench({ now: () => clock.now });
  const key = await createProofKey({ now: () => clock.now });
  const ticket = await bench.ticket({ cnf: { jkt: key.thumbprint } });
  const flood = many(burst + 5, async () => dialHalf(bench, ticket, "agent", { proof: "x.y.z" }));
  assert.deepEqual(await statuses(flood), { 401: burst, 429: 5 });
});

test("good tickets cost a source nothing", async () => {
  const tries = createTicketTries(() => 0);
  const checks = Array.from({ length: 3 * burst }, async (_, index) => tries("192.0.2.1", async () => index));
  assert.deepEqual(
    await Promise.all(checks),
    checks.map((_, index) => index),
  );
});
