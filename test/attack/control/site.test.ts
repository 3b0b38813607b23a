import assert from "node:assert/strict";
import { createControlHost } from "../../../embedded/host/control-host.ts";
import { silentLog } from "../../../net/log.ts";
import { newCode } from "../../../protocol/invitations.ts";
import { limits } from "../../../protocol/limits.ts";
import { createSecrets } from "../../control/control-under-test.ts";
import { attack } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { sendPipelined } from "./pipelined.ts";

const tries = 20_000;
const connections = 4;

attack(
  {
    point: 10,
    title: "somebody with an IPv6 /48 guesses codes from another /64 each time",
    from: import.meta.url,
  },
  async () => {
    await using dir = await createTempDir();
    await using host = await createControlHost({
      host: "127.0.0.1",
      port: 0,
      stateDir: dir.path,
      env: await createSecrets(),
      // The test is the proxy that says who comes.
      trustProxy: ["127.0.0.1"],
      log: silentLog,
    });
    const began = performance.now();
    const counts = await Promise.all(
      Array.from({ length: connections }, async (_, n) => await sendPipelined(host.port, guesses(n))),
    );
    const seconds = (performance.now() - began) / 1_000;
    const sum = (status: number): number => counts.reduce((all, each) => all + (each.get(status) ?? 0), 0);
    const { burst, everyMs } = limits.guessRate;
    const allowed = 4 * burst + Math.ceil((4 * seconds * 1_000) / everyMs);
    assert.ok(sum(404) >= 4 * burst && sum(404) <= allowed, `${sum(404)} of ${allowed} in ${seconds} s`);
    assert.equal(sum(404) + sum(429), tries, "every other one was refused");
    const neighbour = await fetch(`${host.url}/j/${code()}`, {
      headers: { "x-forwarded-for": "2001:db8:8::1" },
    });
    assert.equal(neighbour.status, 404, "another site of the same provider has its tries");
    return { tries, answer: "a /48 has 40 tries at once, then 40 a minute" };
  },
);

function* guesses(n: number): Generator<string> {
  for (let i = n; i < tries; i += connections)
    yield `GET /j/${code()} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 2001:db8:7:${i.toString(16)}::1\r\nAccept: application/json\r\n\r\n`;
}

function code(): string {
  return newCode((bytes) => crypto.getRandomValues(bytes));
}
