import assert from "node:assert/strict";
import { answersWith, startHostileRelay } from "./hostile-relay.ts";
import type { Answer } from "./hostile-relay.ts";
import { claimLines, startHostileControl } from "./hostile-control.ts";
import { fuzzedTexts, handmadeTexts } from "./hostile-texts.ts";
import { count, createTrap, startVictim } from "./victim.ts";
import type { Machine } from "./victim.ts";

/** Every handmade text in every place of an answer, and behind them fuzzed ones, each in one place. */
export function hostileAnswers(folder: string, fuzzed: number): Answer[] {
  const places = answersWith("").length;
  const made = handmadeTexts(folder).flatMap(answersWith);
  const random = fuzzedTexts(folder, 11, fuzzed).map((text, i) => answersWith(text)[i % places] ?? text);
  // `409` with this word is what a relay truly says when the agent is to end.
  return [...made, ...random].map((answer) =>
    answer.startsWith("HTTP/1.1 409") ? answer.replaceAll('"replaced"', '"replace"') : answer,
  );
}

/** Joins as this machine at a relay that gives these answers; fails when one of them did harm, or ended the agent. */
export async function surviveAnswers(
  machine: Machine,
  method: string,
  answersFor: (folder: string) => readonly Answer[],
): Promise<void> {
  await using trap = await createTrap();
  const answers = answersFor(trap.path);
  await using relay = await startHostileRelay(answers);
  await using control = await startHostileControl({
    claim: (response) => response.end(claimLines(relay.port)),
  });
  await using victim = await startVictim(control.url, machine, trap, { env: { RDV_METHOD: method } });
  const ended = await victim.ended(120_000).catch(async (error: unknown) => {
    await victim.unharmed(); // Harm explains more than a hang.
    throw error;
  });
  await victim.unharmed();
  const { stderr } = victim.script.output();
  assert.equal(relay.answered(), answers.length, `it asked again after every answer: ${stderr}`);
  assert.ok(count(victim, "opened") <= relay.pairs(), "it said no more clients than the relay");
  assert.match(stderr, /the inviter has ended the session\n$/);
  assert.equal(ended.code, 0);
}
