import { attack } from "../../fixtures/attack.ts";
import { dealt } from "../../fixtures/random.ts";
import { answersWith } from "./hostile-relay.ts";
import { handmadeTexts } from "./hostile-texts.ts";
import { machines, skipMachines } from "./machines.ts";
import { hostileAnswers, surviveAnswers } from "./relay-text.ts";

/** Answers that every shell gets with every program: the first texts in the places that shells compute with and show. */
const core = 8;
/** Of all others, one share for each of them. */
const each = 12;

attack(
  {
    point: 1,
    title:
      "the relay, or somebody on the way, writes commands, events and terminal sequences into its answers to a shell",
    from: import.meta.url,
    options: { skip: skipMachines, concurrency: 4 },
  },
  async (t) => {
    await Promise.all(
      machines.map(
        async (machine, i) =>
          await t.test(machine.title, async () => {
            await surviveAnswers(machine, machine.method, (folder) => [
              ...handmadeTexts(folder)
                .slice(0, core)
                .flatMap((text) => answersWith(text).slice(0, 1)),
              ...handmadeTexts(folder)
                .slice(6, 6 + core)
                .flatMap((text) => answersWith(text).slice(1, 2)),
              ...dealt(hostileAnswers(folder, 200), machines.length, i).slice(0, each),
            ]);
          }),
      ),
    );
    return {
      tries: machines.length * (2 * core + each),
      answer: "an answer without its shape is a lost half, and its words are shown as plain text",
    };
  },
);
