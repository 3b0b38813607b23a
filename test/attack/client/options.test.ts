import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { scanHostKey } from "../../../cli/host-key.ts";
import { nextLine } from "../../../cli/next-line.ts";
import { shellWord } from "../../../cli/shell-word.ts";
import { attack } from "../../fixtures/attack.ts";
import { run, runOk } from "../../fixtures/processes.ts";
import { seededRandom } from "../../fixtures/random.ts";
import { runRdv } from "../../fixtures/rdv.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../../fixtures/tools.ts";
import { placementAnswer, sessionAnswer, startLyingControl } from "./lying-control.ts";

const token = `rdv_own_${"x".repeat(43)}`;

attack(
  {
    point: 2,
    title: "a host that is an option of ssh-keyscan makes it read a file of other hosts",
    from: import.meta.url,
    options: { skip: skipWithout("ssh") },
  },
  async () => {
    let dialled = 0;
    await using server = createServer((socket) => {
      dialled += 1;
      socket.destroy();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
    await using folder = await createTempDir();
    const file = join(folder.path, "hosts");
    await writeFile(file, "127.0.0.1\n");
    assert.equal(await scanHostKey([`-f${file}`], port, AbortSignal.timeout(20_000)), "");
    assert.equal(dialled, 0);
    return { tries: 1, answer: "addresses stand behind --" };
  },
);

attack(
  {
    point: 2,
    title:
      "a control plane names hosts and sessions that are options or commands, for ssh and the inviter's own command",
    from: import.meta.url,
    options: { timeout: 200_000 },
  },
  async () => {
    await using folder = await createTempDir();
    const canary = join(folder.path, "canary");
    const names = [
      `-oProxyCommand=touch ${canary}`,
      `$(touch ${canary})`,
      `x\n  ProxyCommand touch ${canary}`,
      "%h",
    ];
    let session: unknown;
    await using control = await startLyingControl((_method, path) => ({
      body: path.startsWith("/v1/sessions") ? { sessions: [session] } : invitationOf(session),
    }));
    const options = { stateDir: folder.path, env: { RDV_CONTROL: control.url, RDV_TOKEN: token } };
    for (const evil of names) {
      session = sessionAnswer({ name: evil });
      const config = await runRdv(["ssh", "--config"], options);
      assert.deepEqual([config.code, config.stdout], [1, ""], config.stderr);
      session = sessionAnswer({ address: `${evil}:22`, placements: [placementAnswer({ host: evil })] });
      const command = ["invite", "ssh", "--", "sh", "-c", "ssh {host}"];
      const invited = await runRdv(command, options);
      assert.deepEqual([invited.code, invited.stdout], [1, ""], invited.stderr);
    }
    assert.ok(!existsSync(canary));
    return { tries: 2 * names.length, answer: "such names and hosts are refused by their shape" };
  },
);

attack(
  {
    point: 2,
    title: "a login or a session on the command line is an option or a command",
    from: import.meta.url,
    options: { timeout: 100_000 },
  },
  async () => {
    await using folder = await createTempDir();
    const canary = join(folder.path, "canary");
    const evil = [
      `-oProxyCommand=touch ${canary}@desk`,
      "-lroot",
      "-F@desk",
      `$(touch ${canary})@desk`,
      "a;b@desk",
      "a\nb@desk",
    ];
    for (const destination of evil) {
      const finished = await runRdv(["ssh", "--", destination, "true"], { stateDir: folder.path });
      assert.equal(finished.code, 2, `${destination}: ${finished.stderr}`);
    }
    assert.ok(!existsSync(canary));
    return { tries: evil.length, answer: "wrong usage; ssh is not started" };
  },
);

attack(
  {
    point: 2,
    title: "a directory or a URL with commands and percent signs in it gets into the ProxyCommand of ssh",
    from: import.meta.url,
    options: { skip: skipWithout("ssh"), timeout: 100_000 },
  },
  async () => {
    await using folder = await createTempDir();
    const canary = join(folder.path, "canary");
    const odd = join(folder.path, `-x '"$(touch ${canary.replaceAll("/", "\\057")})\`touch canary\`;%h %%d`);
    const args = ["ssh", "--state-dir", odd, "--control", `http://127.0.0.1:9/'$(id)%h`, "--config", "desk"];
    const block = await runRdv(args, { stateDir: folder.path });
    assert.equal(block.code, 0, block.stderr);
    const config = join(folder.path, "config");
    await writeFile(config, block.stdout);
    const connected = await run(requireTool("ssh"), ["-F", config, "desk", "true"], { cwd: folder.path });
    assert.equal(connected.code, 255);
    assert.match(connected.stderr, /^rdv: /m, "rdv itself was started, with its words as they were");
    assert.ok(!existsSync(canary));
    const broken = await runRdv(["ssh", "--state-dir", "a\nb", "--config", "desk"], {
      stateDir: folder.path,
    });
    assert.equal(broken.code, 2);
    return {
      tries: 2,
      answer: "each is one word of the shell, after ssh has read its percent signs; a line's end is refused",
    };
  },
);

attack(
  {
    point: 2,
    title: "a line that rdv prints to be pasted is more than its words",
    from: import.meta.url,
  },
  async () => {
    const random = seededRandom(2);
    const letters = Array.from("a1-'\"\\$`;&|<>(){}[]*?!#~% \t\n=@:/é");
    const values = Array.from({ length: 500 }, () =>
      Array.from(
        { length: 1 + Math.floor(random() * 12) },
        () => letters[Math.floor(random() * letters.length)],
      ).join(""),
    );
    const script = `printf '%s\\0' ${values.map(shellWord).join(" ")}`;
    const { stdout } = await run("/bin/sh", ["-c", script]);
    assert.deepEqual(stdout.split("\0").slice(0, -1), values);
    const line = nextLine({ service: "ssh", port: 22 }, { host: "192.0.2.1", port: 22 }, "$(id)");
    assert.equal(line, "ssh -p 22 '$(id)@192.0.2.1'");
    await runOk("/bin/sh", ["-n", "-c", line]);
    return { tries: values.length + 1, answer: "each value is one word of the shell" };
  },
);

function invitationOf(session: unknown): unknown {
  const url = "http://192.0.2.1/j/00000-00000";
  const [line, powershell] = [`curl ${url} | sh`, `irm ${url}/ps1 | iex`];
  return {
    code: "00000-00000",
    url,
    line,
    powershell,
    expires: "2099-01-01T00:00:00.000Z",
    session,
    raw: null,
  };
}
