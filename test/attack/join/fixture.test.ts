import assert from "node:assert/strict";
import { test } from "node:test";
import { dealt } from "../../fixtures/random.ts";
import { skipWithoutPrograms } from "../../join/programs.ts";
import { startHostileControl, claimLines } from "./hostile-control.ts";
import { honestClient, paired, startHostileRelay } from "./hostile-relay.ts";
import { forgedClient } from "./hostile-texts.ts";
import { hostileAnswers, surviveAnswers } from "./relay-text.ts";
import { createTrap, judge, startVictim } from "./victim.ts";

const machine = { shell: "dash", tool: { name: "socat" } } as const;
const skip = skipWithoutPrograms("dash", "socat", "curl", "setsid");

test("honest answers do no harm, and each is answered", { skip }, async () => {
  await surviveAnswers(machine, "socat", () => Array.from({ length: 20 }, () => paired({})));
});

test("a command that runs on the victim's machine is seen", { skip }, async () => {
  for (const command of ["canary", "echo >file", "echo opened", "printf 'rdv: \\033[2J'"]) {
    await using trap = await createTrap();
    await using relay = await startHostileRelay([]);
    await using control = await startHostileControl({
      claim: (response) => response.end(claimLines(relay.port)),
      edit: (script) => script.replace("ask_consent\n", `ask_consent; ${command}\n`),
    });
    await using victim = await startVictim(control.url, machine, trap, { env: { RDV_METHOD: "socat" } });
    await victim.ended(30_000);
    await assert.rejects(victim.unharmed(), assert.AssertionError, command);
  }
});

test("forged and unreadable lines are seen", () => {
  judge(`rdv: opened: ${honestClient}\nrdv: closed: ${honestClient}, 1 bytes in\n`);
  for (const bad of [
    `rdv: opened: ${forgedClient}`,
    "rdv: opened: a b",
    "rdv: ready: elsewhere:1 leads to you",
    "opened: x",
    "rdv: \u009b31m",
    "rdv: \u202etxt",
    "rdv: \ufffd",
    "rdv: x\ry",
    `rdv: ${"x".repeat(500)}`,
  ])
    assert.throws(() => judge(`${bad}\n`), assert.AssertionError, bad);
});

test("the answers are the same in every run, and a deal gives each of them once", () => {
  const answers = hostileAnswers("/trap", 100);
  assert.deepEqual(answers, hostileAnswers("/trap", 100));
  const hands = [0, 1, 2, 3, 4, 5, 6].map((hand) => dealt(answers, 7, hand));
  assert.deepEqual(hands.flat().toSorted(), answers.toSorted());
});
