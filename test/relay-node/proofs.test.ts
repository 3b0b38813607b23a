import assert from "node:assert/strict";
import { test } from "node:test";
import { createIdentity } from "../../net/tls/certificate.ts";
import { limits } from "../../protocol/limits.ts";
import { createProofKey } from "../../protocol/proof.ts";
import type { ProofKey } from "../../protocol/proof.ts";
import type { Ticket } from "../../protocol/tickets.ts";
import { createProofGate } from "../../relay-node/proof-gate.ts";
import { createTicketTries } from "../../relay-node/ticket-tries.ts";
import { dialHalf, startBench, until } from "./harness.ts";
import type { Bench, Half } from "./harness.ts";

/** What the harness writes into `Host`. */
const host = "relay";

async function bound(bench: Bench, key: ProofKey, overrides: Partial<Ticket> = {}): Promise<string> {
  return bench.ticket({ cnf: { jkt: key.thumbprint }, ...overrides });
}

/** The relay's answer in short: its type, or the code of its refusal. */
async function answerOf(half: Half): Promise<string> {
  const answer = await half.answer();
  if (answer.type !== "refused") return answer.type;
  return (JSON.parse(answer.body) as { code: string }).code;
}

test("a ticket that is bound to a key opens nothing without its proof, on a plain leg and in TLS", async () => {
  await using bench = await startBench({ tls: createIdentity() });
  const key = await createProofKey();
  for (const plain of [true, false]) {
    const ticket = await bound(bench, key);
    assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { plain })), "proof_invalid");
    const proof = await key.prove({ kind: "agent", host, ticket });
    assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { plain, proof })), "waiting");
  }
  assert.equal(bench.relay.metrics().refused.get("proof_invalid"), 2);
  assert.equal(bench.relay.metrics().unpairedEnds.get("agent refused"), 2);
});

test("a ticket and its proof that were read on the way open nothing a second time", async () => {
  await using bench = await startBench();
  const key = await createProofKey();
  const ticket = await bound(bench, key);
  const proof = await key.prove({ kind: "agent", host, ticket });
  assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { proof })), "waiting");
  assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { proof })), "proof_invalid");
  // Nor for another ticket of the same agent, nor as a client.
  const next = await bound(bench, key, { epoch: 2 });
  assert.equal(await answerOf(await dialHalf(bench, next, "agent", { proof })), "proof_invalid");
  assert.equal(await answerOf(await dialHalf(bench, ticket, "client", { proof })), "proof_invalid");
  const thief = await createProofKey();
  const forged = await createProofKeyFor(thief, ticket);
  assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { proof: forged })), "proof_invalid");
});

test("a proof that comes twice at once is taken once", async () => {
  await using bench = await startBench();
  const key = await createProofKey();
  const ticket = await bound(bench, key);
  const proof = await key.prove({ kind: "agent", host, ticket });
  const halves = await Promise.all(
    Array.from({ length: 8 }, async () => dialHalf(bench, ticket, "agent", { proof })),
  );
  const answers = await Promise.all(halves.map(answerOf));
  assert.equal(answers.filter((answer) => answer === "waiting").length, 1);
  assert.equal(answers.filter((answer) => answer === "proof_invalid").length, 7);
});

test("a proof that a relay took before its restart is not taken again", async () => {
  const clock = { now: Date.now() };
  await using bench = await startBench({ now: () => clock.now });
  const key = await createProofKey({ now: () => clock.now });
  const ticket = await bound(bench, key);
  const prove = async (): Promise<string> => key.prove({ kind: "agent", host, ticket });
  const proof = await prove();
  assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { proof })), "waiting");
  clock.now += 2_000;
  await bench.restart();
  assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { proof })), "proof_invalid");
  assert.equal(await answerOf(await dialHalf(bench, ticket, "agent", { proof: await prove() })), "waiting");
  await until(() => bench.relay.metrics().halvesWaiting === 1, "the half waits");
});

test("what a gate remembers is bounded, and forgotten when it is too old to be shown again", async () => {
  const clock = { now: Date.now() };
  const now = (): number => clock.now;
  const gate = createProofGate({ now, tries: createTicketTries(now), remembered: 3 });
  await using bench = await startBench();
  const key = await createProofKey({ now: () => clock.now });
  const token = await bound(bench, key);
  const request = { kind: "agent", host, ticket: token } as const;
  const ticket = { owner: "a_one", cnf: { jkt: key.thumbprint } } as Ticket; // the gate looks at nothing else
  const enter = async (): Promise<void> => gate.check(ticket, "192.0.2.1", await key.prove(request), request);
  await enter();
  await enter();
  await assert.rejects(enter(), { code: "too_many" });
  clock.now += (limits.proofSeconds + 1) * 1_000;
  await enter();
});

/** A proof of a key that is not the ticket's: `prove` itself refuses to make one. */
async function createProofKeyFor(thief: ProofKey, ticket: string): Promise<string> {
  const [head = "", , signature = ""] = ticket.split(".");
  const claims = Buffer.from(JSON.stringify({ cnf: { jkt: thief.thumbprint } })).toString("base64url");
  return await thief.prove({ kind: "agent", host, ticket: `${head}.${claims}.${signature}` });
}
