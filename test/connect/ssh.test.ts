import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runOk } from "../fixtures/processes.ts";
import { sameContent, writeRandomFile } from "../fixtures/random-file.ts";
import { runRdv, startRdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

const skip = skipWithout("sshd", "ssh", "scp", "ssh-keygen", "rsync", "git");

test("ssh and what is built on it, to a private session", { skip }, async (t) => {
  await using sshd = await startSshd();
  await using up = await startUp();
  await using folder = await createTempDir();
  const target = ["expose", String(sshd.port), "--private", "--name", "desk"];
  await using exposed = startRdv(target, up.place);
  const { address = "" } = await exposed.event("ready");
  assert.match(address, /^desk#[\w-]{43}$/);
  const known = join(folder.path, "known_hosts");
  await writeFile(known, `desk ${sshd.hostKey}\n`);
  // ssh takes the first of several values; that the session's name is the host's alias is what is tested.
  const settings = sshd.options(22).filter((word) => !/^(HostKeyAlias|UserKnownHostsFile|Port)=/.test(word));
  const options = ["-o", `UserKnownHostsFile=${known}`, ...withoutLonely(settings)];
  const user = sshd.login().split("@")[0] ?? "";

  await t.test("rdv ssh carries output, errors, input and the exit code", async () => {
    const args = ["ssh", `${user}@${address}`, ...options, "cat; echo err >&2; exit 37"];
    const finished = await runRdv(args, { ...up.place, input: "line\n".repeat(50_000) });
    assert.equal(finished.code, 37, finished.stderr);
    assert.equal(finished.stdout, "line\n".repeat(50_000));
    assert.match(finished.stderr, /^err$/m);
  });

  await t.test("rdv ssh gives the remote command a terminal", async () => {
    const finished = await runRdv(["ssh", `${user}@desk`, ...options, "-tt", "tty"], up.place);
    assert.match(finished.stdout, /\/dev\/(pts|tty)/, finished.stderr);
  });

  const config = join(folder.path, "config");
  const { stdout: block } = await runRdv(["ssh", "--config", "desk"], up.place);
  await writeFile(config, `${block}  User ${user}\n${asConfig(options)}`);
  // What ssh starts finds the state as the user's own shell would.
  const env = { ...process.env, RDV_STATE_DIR: up.place.stateDir, GIT_SSH_COMMAND: `ssh -F ${config}` };

  await t.test("with the printed block scp copies 10 MB each way", async () => {
    const [original = "", there = "", back = ""] = ["original", "there", "back"].map((name) =>
      join(folder.path, name),
    );
    await writeRandomFile(original, 10_000_000);
    await runOk(requireTool("scp"), ["-q", "-F", config, original, `desk:${there}`], { env });
    await runOk(requireTool("scp"), ["-q", "-F", config, `desk:${there}`, back], { env });
    assert.ok(await sameContent(original, back));
  });

  await t.test("with the printed block rsync copies a folder", async () => {
    const [from, to] = [join(folder.path, "from"), join(folder.path, "to")];
    await mkdir(from);
    await writeRandomFile(join(from, "one"), 1_000_000);
    await writeFile(join(from, "two"), "second");
    await runOk(requireTool("rsync"), ["-a", "-e", `ssh -F ${config}`, `${from}/`, `desk:${to}/`], { env });
    assert.ok(await sameContent(join(from, "one"), join(to, "one")));
    assert.equal(await readFile(join(to, "two"), "utf8"), "second");
  });

  await t.test("with the printed block git clones and pushes", async () => {
    const [bare, clone] = [join(folder.path, "repository.git"), join(folder.path, "clone")];
    const git = async (...args: readonly string[]) =>
      await runOk(requireTool("git"), ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
        env,
      });
    await git("init", "-q", "--bare", "-b", "main", bare);
    await git("clone", "-q", `desk:${bare}`, clone);
    await writeFile(join(clone, "file"), "content");
    await git("-C", clone, "add", "file");
    await git("-C", clone, "commit", "-q", "-m", "first");
    await git("-C", clone, "push", "-q", "origin", "HEAD:main");
    assert.equal(await git("-C", bare, "show", "main:file"), "content");
  });

  await t.test("a session that does not exist is told in one line, and ssh fails", async () => {
    const finished = await runRdv(["ssh", "nowhere", ...options], up.place);
    assert.equal(finished.code, 255);
    assert.match(finished.stderr, /^rdv: There is no session "nowhere"/m);
  });
});

/** Options without the `-o` whose value was taken out. */
function withoutLonely(words: readonly string[]): string[] {
  return words.filter((word, index) => word !== "-o" || (words[index + 1] ?? "-o") !== "-o");
}

/** `-o Name=value` as lines of ssh_config(5). */
function asConfig(options: readonly string[]): string {
  const values = options.filter((word) => word.includes("="));
  return values.map((value) => `  ${value.replace("=", " ")}\n`).join("");
}
