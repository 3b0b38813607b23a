import assert from "node:assert/strict";
import { attack } from "../../fixtures/attack.ts";
import { runRdv, startPlainRdv, startRdv } from "../../fixtures/rdv.ts";
import { startUp } from "../../fixtures/rendezvous.ts";
import type { Up } from "../../fixtures/rendezvous.ts";

const from = import.meta.url;
const options = { timeout: 120_000 };
/** A name that leads nowhere: what is sent there is known before anybody answers. */
const elsewhere = "http://rdv.invalid:8787";

attack(
  {
    point: 13,
    title: "waits on the way to a plain http control plane for tokens and answers",
    from,
    options,
  },
  async () => {
    await using up = await startUp();
    const commands = [
      ["login", elsewhere],
      ["expose", "22", "--control", elsewhere],
      ["invite", "ssh", "--control", elsewhere, "--quiet"],
      ["connect", "desk", "--control", elsewhere, "--json"],
      ["ssh", "--control", elsewhere, "desk"],
      ["sessions", "ls", "--control", elsewhere],
      ["relays", "ls", "--control", elsewhere],
      ["keys", "ls", "--control", elsewhere],
      ["join", `${elsewhere}/j/AAAAA-AAAAA`],
      ["login", "http://127.example.org.invalid:8787"],
    ];
    const env = { RDV_TOKEN: up.token };
    for (const args of commands) {
      // Some would try for ever to reach it, so only what they say first is waited for.
      await using running = startPlainRdv(args, { stateDir: `${up.place.stateDir}-other`, env });
      await running.says("is plain http: whoever is on the way reads your token");
    }
    for (const name of ["127.0.0.1", "localhost"]) {
      const quiet = await runRdv(["sessions", "ls", "--control", up.control.replace("127.0.0.1", name)], {
        ...up.place,
        env,
      });
      assert.equal(quiet.code, 0, quiet.stderr);
      assert.doesNotMatch(quiet.stderr, /WARNING/, "what stays on this machine is nobody's to read");
    }
    return { tries: commands.length, answer: "one line says what is read and changed, and what to do" };
  },
);

attack(
  { point: 13, title: "waits for somebody who pastes `curl http://… | sh`", from, options },
  async () => {
    await using up = await startUp("--host", "0.0.0.0", "--public-host", "rdv.example.org");
    await up.rdv.process.says("WARNING: the control plane speaks plain http");
    const ways = [
      ["invite", "ssh"],
      ["invite", "vnc", "--json"],
      ["invite", "ssh", "--private"],
      ["invite", "ssh", "--qr"],
    ];
    for (const args of ways) {
      const refused = await inviteHere(up, args);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, /--public-url.*--insecure/);
      assert.doesNotMatch(refused.stdout, /\| sh|rdv join|iex|\/j\//);
    }
    const left = await runRdv(["sessions", "ls", "--json", "--control", own(up)], {
      ...up.place,
      env: { RDV_TOKEN: up.token },
    });
    assert.doesNotMatch(left.stdout, /ssh-|vnc-/, "nothing is left behind");
    await using insecure = startRdv(["invite", "ssh", "--insecure", "--control", own(up)], {
      ...up.place,
      env: { RDV_TOKEN: up.token },
    });
    assert.match(String((await insecure.event("invited"))["line"]), /http:\/\/rdv\.example\.org:/);
    return { tries: ways.length, answer: "no such line is printed without --insecure" };
  },
);

function own(up: Up): string {
  return `http://127.0.0.1:${up.place.block.port(0)}`;
}

async function inviteHere(up: Up, args: readonly string[]) {
  return await runRdv([...args, "--control", own(up)], { ...up.place, env: { RDV_TOKEN: up.token } });
}
