import assert from "node:assert/strict";
import { attack } from "../../fixtures/attack.ts";
import { within } from "../../fixtures/within.ts";
import { languages, skipLanguages, startAgent } from "./agents.ts";

const bad: Readonly<Record<string, readonly string[]>> = {
  RDV_RELAY: ["-lcsh", "--exec=canary", "", "a b", "a\nb", "a%s", "$(canary)", "x".repeat(300), "é.example"],
  RDV_HOST: ["-oProxyCommand=canary", "-", "a/b", "127.0.0.1\n"],
  RDV_PORT: ["0", "-1", "1e3", "٣", "99999999999", "22 "],
  RDV_HOST_PORT: ["", "0x16", "22;canary"],
  RDV_TLS: ["x", `${"A".repeat(42)}=`, "A".repeat(44)],
  RDV_TICKET: ["", "a\r\nX-Evil: 1", "a b"],
  RDV_POOL: ["-1", "many", "1e9", "²"],
  RDV_SECONDS: ["", "9999999999", "inf"],
  RDV_ADDRESS: ["a:1\x1b[2J", "a:1\nrdv: opened: 6.6.6.6:666", "{0}"],
};

for (const language of languages)
  attack(
    {
      point: 2,
      title: `a control plane names a relay, a host or a number that begins with - or is none, to the ${language.method} agent`,
      from: import.meta.url,
      options: { skip: skipLanguages },
    },
    async () => {
      const tries = Object.entries(bad).flatMap(([name, values]) =>
        values.map((value) => [name, value] as const),
      );
      for (const [name, value] of tries) {
        await using agent = await startAgent(language, { [name]: value });
        const { code } = await within(
          30_000,
          agent.exited,
          () => `${name}=${JSON.stringify(value)} is taken`,
        );
        assert.equal(code, 1, `${name}=${value}`);
        assert.equal(agent.output().stderr, `rdv: ${name} is not understood\n`);
      }
      return { tries: tries.length, answer: "refused before anything is dialled" };
    },
  );
