import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { newCode } from "../../protocol/invitations.ts";
import { limits } from "../../protocol/limits.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { invite } from "./invited.ts";

/** Guessers with an address of their own each, in 127.0.0.0/8, which Linux gives to loopback as a whole. */
const sources = 200;
const seconds = 3;
const perSecond = 1_000;
const skip = process.platform === "linux" ? false : "only Linux has all of 127.0.0.0/8";

test(
  "1,000 wrong codes a second from many sources find nothing, and the right person gets in meanwhile",
  { skip },
  async () => {
    await using up = await startUp();
    await using stranger = await createTempDir();
    await using invited = await invite(up.place, 9);
    using agent = disposable(new Agent({ keepAlive: true, maxSockets: 1 }));
    const guesses = Promise.all(
      Array.from({ length: sources }, async (_, i) => {
        const found: number[] = [];
        for (let n = 0; n < (seconds * perSecond) / sources; n += 1)
          found.push(await guess(up.control, `127.9.${i >> 8}.${(i & 255) + 1}`, agent.value));
        return found;
      }),
    );
    const began = performance.now();
    await using joined = startRdv(["join", invited.url, "--yes"], { stateDir: stranger.path });
    await joined.event("ready");
    const statuses = (await guesses).flat();
    const took = performance.now() - began;
    const count = (status: number): number => statuses.filter((each) => each === status).length;
    assert.equal(
      count(404) + count(429),
      statuses.length,
      `nothing was found: ${[...new Set(statuses)].join(", ")}`,
    );
    assert.ok(count(404) <= sources * (limits.guessRate.burst + took / limits.guessRate.everyMs));
    assert.ok(count(404) <= sources + limits.guessRate.perSecond * (took / 1_000 + 5));
    const metrics = await fetch(`${up.control}/metrics`, {
      headers: { authorization: `Bearer ${up.token}` },
    });
    const text = await metrics.text();
    assert.match(text, new RegExp(`^rdv_control_guesses_total\\{outcome="wrong"\\} ${count(404)}$`, "m"));
    assert.match(text, new RegExp(`^rdv_control_guesses_total\\{outcome="refused"\\} ${count(429)}$`, "m"));
  },
);

async function guess(control: string, localAddress: string, agent: Agent): Promise<number> {
  const code = newCode((bytes) => crypto.getRandomValues(bytes));
  const asked = request(`${control}/j/${code}/claim`, { method: "POST", localAddress, agent });
  asked.end(`machine=${"0".repeat(32)}`);
  const [response] = (await once(asked, "response")) as [IncomingMessage]; // What http.ClientRequest tells.
  response.resume();
  await once(response, "end");
  return response.statusCode ?? 0;
}

function disposable(value: Agent): { readonly value: Agent } & Disposable {
  return { value, [Symbol.dispose]: () => value.destroy() };
}
