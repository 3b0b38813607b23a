import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { loadSecrets } from "../../embedded/secrets.ts";
import { createApi } from "../../protocol/client.ts";
import { RotatedSigningKey } from "../../protocol/keys.ts";
import { startProcess } from "../fixtures/processes.ts";
import { runRdv } from "../fixtures/rdv.ts";
import type { RdvOptions } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

const KeyEvent = z.looseObject({ event: z.string(), id: z.string(), token: z.string().optional() });

async function run(args: readonly string[], place: RdvOptions): Promise<string> {
  const { code, stdout, stderr } = await runRdv(args, place);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function publishedKids(url: string): Promise<unknown[]> {
  return (await createApi({ url }).jwks()).keys.map(({ kid }) => kid);
}

async function createKey(place: RdvOptions, ...more: string[]): Promise<z.infer<typeof KeyEvent>> {
  return KeyEvent.parse(JSON.parse(await run(["keys", "create", "--json", ...more], place)));
}

test("keys and logins on the command line", async (t) => {
  await using up = await startUp();
  await using elsewhere = await createTempDir();
  const other = { stateDir: join(elsewhere.path, "other") };
  const credentials = async (): Promise<unknown> =>
    JSON.parse(await readFile(join(other.stateDir, "credentials.json"), "utf8"));

  await t.test("without --json the token is all that is on stdout", async () => {
    assert.match(await run(["keys", "create", "--label", "plain"], up.place), /^rdv_admin_[\w-]{43}\n$/);
  });

  await t.test(
    "the running control plane rotates its signing key, and keeps it for its next start",
    async () => {
      const before = await publishedKids(up.control);
      const rotated = RotatedSigningKey.parse(
        JSON.parse(await run(["keys", "rotate-signing", "--json"], up.place)),
      );
      assert.deepEqual(await publishedKids(up.control), [...before, rotated.kid]);
      assert.match(await run(["keys", "rotate-signing"], up.place), new RegExp(`${rotated.kid} signs from`));
      const file = join(up.place.stateDir, "secrets.json");
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const { signingKeys } = loadSecrets(up.place.stateDir);
      assert.deepEqual(
        signingKeys.map(({ jwk }) => jwk.kid),
        [...before, rotated.kid],
      );
    },
  );

  await t.test("a key is created, listed without its token, and revoked", async () => {
    const { id, token = "" } = await createKey(up.place, "--label", "laptop", "--expires", "30d");
    const listed = await run(["keys", "ls"], up.place);
    assert.match(listed, new RegExp(`^ID .*\\n(.*\\n)*${id} +sessions .* laptop`, "m"));
    assert.ok(!listed.includes(token));
    assert.deepEqual(JSON.parse(await run(["keys", "revoke", id, "--json"], up.place)), {
      event: "revoked",
      key: id,
    });
    const again = await runRdv(["keys", "revoke", id], up.place);
    assert.equal(again.code, 1);
    assert.match(again.stderr, new RegExp(`^rdv: .*${id}.*\\n$`));
  });

  await t.test("wrong scopes and accounts are wrong usage", async () => {
    for (const args of [
      ["--scope", "root"],
      ["--account", "team"],
      ["--expires", "soon"],
    ])
      assert.equal((await runRdv(["keys", "create", ...args], up.place)).code, 2, args.join(" "));
  });

  await t.test(
    "login takes the token from standard input, tries it, and keeps it for this user alone",
    async () => {
      const { token = "" } = await createKey(up.place);
      await run(["login", up.control], { ...other, input: `${token}\n` });
      assert.deepEqual(await credentials(), { control: up.control, token });
      assert.equal((await stat(join(other.stateDir, "credentials.json"))).mode & 0o777, 0o600);
      assert.equal(await run(["sessions", "ls", "--json"], other), "");
      const forbidden = await runRdv(["keys", "ls"], other);
      assert.equal(forbidden.code, 1);
      assert.match(forbidden.stderr, /no scope admin/);
    },
  );

  await t.test("login with a token that is wrong, or with none, fails and keeps what was there", async () => {
    const before = await credentials();
    const wrong = await runRdv(["login", up.control], {
      ...other,
      input: "rdv_admin_wrongwrongwrongwrong\n",
    });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^rdv: .*token.*\n$/);
    assert.equal((await runRdv(["login", up.control], { ...other, input: "" })).code, 2);
    assert.equal((await runRdv(["login", "nowhere"], other)).code, 2);
    assert.deepEqual(await credentials(), before);
  });

  await t.test("login takes RDV_TOKEN, and its event says who one is", async () => {
    const { id, token = "" } = await createKey(
      up.place,
      "--account",
      "a_team",
      "--scope",
      "admin",
      "--scope",
      "sessions",
    );
    const stdout = await run(["login", up.control, "--json"], { ...other, env: { RDV_TOKEN: token } });
    assert.deepEqual(JSON.parse(stdout), {
      event: "login",
      control: up.control,
      account: "a_team",
      key: id,
      scopes: ["admin", "sessions"],
    });
    assert.match(await run(["keys", "ls"], other), new RegExp(id));
  });

  await t.test("typed at a terminal, the token is not shown", async () => {
    const { token = "" } = await createKey(up.place);
    const rdv = [process.execPath, join(import.meta.dirname, "../../cli/main.ts"), "login", up.control];
    await using terminal = startProcess("script", ["-qec", rdv.join(" "), "/dev/null"], {
      env: { ...process.env, RDV_STATE_DIR: other.stateDir, RDV_TOKEN: "" },
      keepInput: true,
    });
    await terminal.says("Token for ");
    terminal.stdin.write(`${token.slice(0, 20)}x\u007f${token.slice(20)}\r`);
    assert.equal((await terminal.exited).code, 0, terminal.output().stdout);
    assert.match(terminal.output().stdout, /logged in to/);
    assert.ok(!terminal.output().stdout.includes(token.slice(10, 20)), "no echo");
    assert.deepEqual(await credentials(), { control: up.control, token });
  });
});
