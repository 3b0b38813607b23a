import assert from "node:assert/strict";
import { test } from "node:test";
import { claimAnswer } from "../../control/join/claim-answer.ts";
import { joinScript } from "../../control/join/script.ts";
import type { JoinScript } from "../../control/join/script.ts";
import { runOk } from "../fixtures/processes.ts";
import { skipWithoutPrograms } from "./programs.ts";

const invitation: JoinScript = {
  url: "https://rdv.example.org/j/K7Q2X-9FMTR",
  code: "K7Q2X-9FMTR",
  inviter: "Hélène d'Arc (support)",
  target: "localhost:22",
  address: "relay.example.org:20000",
  expires: new Date("2030-01-02T03:04:05Z"),
  sessionName: "help-paul",
  relayTls: true,
};
const shells = ["dash", "bash", "zsh", "busybox"] as const;
const nasty = [
  "'; touch /tmp/owned; '",
  "$(touch /tmp/owned)",
  "`touch /tmp/owned`",
  "\\'\"; exit 7 #",
  "a\nrm -rf ~\n",
  "%s%n %d",
  "red\x1b[31m\x07\r hidden\u202etxt.\u200b",
  "\0nul",
  "-n",
  "",
  "x".repeat(10_000),
];

test(
  "the script is short enough to be read, plain POSIX syntax, and holds no secret",
  { skip: skipWithoutPrograms(...shells) },
  async () => {
    const script = joinScript(invitation);
    assert.ok(script.startsWith("#!/bin/sh\n"));
    assert.ok(script.split("\n").length < 280, `${script.split("\n").length} lines`);
    assert.ok(script.split("\n").every((line) => line.length <= 160));
    assert.ok(script.endsWith('main "$@"\n'), "nothing runs before the last line has come");
    assert.doesNotMatch(script, /eyJ/, "no ticket");
    for (const shell of shells)
      await runOk(shell, [...(shell === "busybox" ? ["ash"] : []), "-n"], { input: script });
  },
);

test(
  "a name that is shown cannot mean anything to a shell or a terminal",
  { skip: skipWithoutPrograms(...shells) },
  async () => {
    for (const inviter of nasty)
      for (const shell of shells) {
        const shown = await evaluated(shell, joinScript({ ...invitation, inviter }), "inviter");
        assert.match(shown, /^[\p{L}\p{M}\p{N} ’.,:_@+()/?-]{1,80}$/u);
      }
    assert.equal(await evaluated("dash", joinScript(invitation), "inviter"), "Hélène d’Arc (support)");
  },
);

test("what the script uses arrives as it was given", { skip: skipWithoutPrograms(...shells) }, async () => {
  const script = joinScript({ ...invitation, target: "[2001:db8::1]:5900" });
  const expected = {
    url: invitation.url,
    host: "2001:db8::1",
    port: "5900",
    address: "relay.example.org:20000",
    session: "help-paul",
    expires: "1893553445",
    expires_utc: "2030-01-02 03:04 UTC",
  };
  for (const [name, value] of Object.entries(expected))
    assert.equal(await evaluated("dash", script, name), value);
});

test("a value of the wrong shape is refused instead of being written into a script", () => {
  const bad: Partial<JoinScript>[] = nasty.flatMap((text) => [
    { url: `https://rdv.example.org/j/${text}` },
    { url: text },
    { code: text },
    { target: `${text}:22` },
    { target: `localhost:${text}` },
    { address: text },
    { sessionName: text },
  ]);
  bad.push(
    { target: "-oProxyCommand=x:22" },
    { target: "localhost:0" },
    { target: "a:b:22" },
    { url: "file:///etc/passwd" },
    { expires: new Date(Number.NaN) },
  );
  for (const change of bad)
    assert.throws(
      () => joinScript({ ...invitation, ...change }),
      { name: "RdvError", code: "internal" },
      JSON.stringify(change),
    );
});

test("the claim's answer is one line a value", () => {
  assert.equal(
    claimAnswer(
      { relay: "r.example", port: 8788, tls: null, ticket: "a.b.c", expires: 1_000, pool: 2 },
      400_400,
    ),
    "relay=r.example\nport=8788\ntls=\nticket=a.b.c\nexpires=1000\npool=2\nleft=600\n",
  );
});

/** The value that a shell sees in one variable of the script's head. */
async function evaluated(shell: string, script: string, name: string): Promise<string> {
  const input = script.replace(/main "\$@"\n$/, `printf %s "$${name}"\n`);
  return await runOk(shell, shell === "busybox" ? ["ash", "-s"] : ["-s"], { input });
}
