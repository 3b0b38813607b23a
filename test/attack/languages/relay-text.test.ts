import { attack } from "../../fixtures/attack.ts";
import { hostileAnswers, surviveAnswers } from "../join/relay-text.ts";
import { languages, skipLanguages } from "./agents.ts";

for (const { method, machine } of languages)
  attack(
    {
      point: 1,
      title: `a relay, or somebody on the way, writes hostile text into every part of its answers to the ${method} agent`,
      from: import.meta.url,
      options: { skip: skipLanguages },
    },
    async () => {
      let tries = 0;
      await surviveAnswers(machine, method, (folder) => {
        const answers = hostileAnswers(folder, 120);
        tries = answers.length;
        return answers;
      });
      return { tries, answer: "values without their shape are dropped; nothing runs, no event is forged" };
    },
  );
