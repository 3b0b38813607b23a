import assert from "node:assert/strict";
import { chmod, copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createIdentity } from "../../net/tls/certificate.ts";
import { runRdv } from "../fixtures/rdv.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { alterControl } from "./altered-control.ts";
import { runDoctor } from "./run-doctor.ts";

test("where all is well every check says so, the exit code is 0, and nothing is left behind", async () => {
  await using up = await startUp();
  // Of its own: relay and control plane write to theirs when they like.
  await using own = await createTempDir();
  const stateDir = own.path;
  await copyFile(join(up.place.stateDir, "credentials.json"), join(stateDir, "credentials.json"));
  const { code, checks, done, names } = await runDoctor([], { stateDir });
  assert.deepEqual(names("fail"), []);
  assert.equal(code, 0);
  assert.equal(done?.ok, names("ok").length);
  for (const name of [
    "configuration",
    "control",
    "clock",
    "token",
    "relays",
    "relay-connect",
    "relay-upgrade",
  ])
    assert.ok(names("ok").includes(name), `${name} in ${JSON.stringify(checks)}`);
  assert.deepEqual(await readdir(stateDir), ["credentials.json"]);
  const sessions = await runRdv(["sessions", "ls", "--json"], { stateDir });
  assert.equal(sessions.stdout, "");
});

test("people get a line a check, what to do below what failed, and a last line that counts", async () => {
  await using dir = await createTempDir();
  const { code, stdout } = await runRdv(["doctor"], { stateDir: dir.path });
  assert.equal(code, 1);
  assert.match(stdout, /^fail {2}configuration +no control plane is known\n +→ start one with `rdv up`/);
  assert.match(stdout, /^skip {2}control +/m);
  assert.match(stdout, /\n1 of \d+ checks failed, \d left out\n$/);
});

test("without a token what needs none is looked at, and what needs one is said to be left out", async () => {
  await using up = await startUp();
  await using dir = await createTempDir();
  const { code, find } = await runDoctor(["--control", up.control], { stateDir: dir.path });
  assert.equal(code, 0);
  assert.match(find("configuration").detail, /from the command line; token not set/);
  assert.match(find("control").detail, /version \d+\.\d+\.\d+, first answer after \d+ ms/);
  assert.match(find("token").detail, /RDV_TOKEN/);
  assert.equal(find("token").status, "skip");
  assert.equal(find("relays").status, "skip");
});

test("a wrong token is told apart from an unreachable control plane", async () => {
  await using up = await startUp();
  await using dir = await createTempDir();
  const env = { RDV_CONTROL: up.control, RDV_TOKEN: "rdv_admin_aaaaaaaaaaaaaaaaaaaa" };
  const { code, find } = await runDoctor([], { stateDir: dir.path, env });
  assert.equal(code, 1);
  assert.equal(find("control").status, "ok");
  assert.equal(find("token").status, "fail");
  assert.match(find("token").advice ?? "", /revoked, expired, or of another control plane: `rdv login URL`/);
});

test("a key without sessions is a warning that says what to ask for", async () => {
  await using up = await startUp();
  const { stateDir } = up.place;
  const made = await runRdv(["keys", "create", "--scope", "relays", "--json"], { stateDir });
  const token = /"token":"([^"]+)"/.exec(made.stdout)?.[1] ?? "";
  const { find } = await runDoctor([], { stateDir, env: { RDV_TOKEN: token } });
  assert.equal(find("token").status, "warn");
  assert.match(find("token").advice ?? "", /ask for a key with the scope `expose`/);
});

test("a port on which nothing listens, and one on which something else does, are no control plane", async () => {
  await using up = await startUp();
  await using dir = await createTempDir();
  const closed = `http://127.0.0.1:${up.place.spare[0]}`;
  const nobody = await runDoctor(["--control", closed], { stateDir: dir.path });
  assert.equal(nobody.code, 1);
  assert.match(nobody.find("control").detail, /ECONNREFUSED/);
  assert.match(nobody.find("control").advice ?? "", /is it running there\?/);
  const relay = await runDoctor(["--control", `http://${up.relay}`], { stateDir: dir.path });
  assert.equal(relay.find("control").status, "fail");
  assert.match(relay.find("control").advice ?? "", /something else answers at this address/);
});

test("a name that does not exist, and a URL that is none, are found before anything is asked", async () => {
  await using dir = await createTempDir();
  const name = await runDoctor(["--control", "https://nobody.invalid"], { stateDir: dir.path });
  assert.match(name.find("names").detail, /^nobody\.invalid: (ENOTFOUND|EAI_AGAIN)$/);
  assert.notEqual(name.find("names").advice, undefined);
  assert.equal(name.find("control").status, "skip");
  const noUrl = await runDoctor([], { stateDir: dir.path, env: { RDV_CONTROL: "rdv.example.org" } });
  assert.match(noUrl.find("configuration").detail, /^rdv\.example\.org, from the environment$/);
  assert.match(noUrl.find("configuration").advice ?? "", /write it as https:/);
});

for (const [seconds, status, words] of [
  [12, "warn", /^1\d s behind the control plane's$/],
  [-50, "fail", /^[45]\d s ahead of the control plane's$/],
] as const)
  test(`a control plane whose clock is ${seconds} s ahead: ${status}`, async () => {
    await using up = await startUp();
    await using altered = await alterControl(up.control, { clockSeconds: seconds });
    const { code, find } = await runDoctor(["--control", altered.url], { stateDir: up.place.stateDir });
    assert.equal(find("clock").status, status);
    assert.match(find("clock").detail, words);
    assert.match(find("clock").advice ?? "", /timedatectl set-ntp true/);
    assert.equal(code, status === "fail" ? 1 : 0);
  });

test("a certificate of nobody's is named as such", async () => {
  await using up = await startUp();
  await using altered = await alterControl(up.control, { identity: createIdentity() });
  const { code, find } = await runDoctor(["--control", altered.url], { stateDir: up.place.stateDir });
  assert.equal(code, 1);
  assert.match(find("certificate").detail, /for rdv, by rdv, until .*: DEPTH_ZERO_SELF_SIGNED_CERT$/);
  assert.match(find("certificate").advice ?? "", /NODE_EXTRA_CA_CERTS=FILE/);
  assert.match(find("control").detail, /DEPTH_ZERO_SELF_SIGNED_CERT/);
});

test("a key that others can read fails, with the command that closes it", async () => {
  await using up = await startUp();
  const path = join(up.place.stateDir, "credentials.json");
  await chmod(path, 0o644);
  const { code, find } = await runDoctor([], { stateDir: up.place.stateDir });
  assert.equal(code, 1);
  assert.equal(find("state").detail, `${path} has mode 0644: others can read the key`);
  assert.match(find("state").advice ?? "", new RegExp(`^chmod 600 ${path}`));
});

test("a proxy that is not there, and one of another kind, are named with their variable", async () => {
  await using dir = await createTempDir();
  await using ports = await claimPorts();
  const stateDir = dir.path;
  const proxy = `127.0.0.1:${ports.port(0)}`;
  const args = ["--control", "http://rdv.invalid"];
  const absent = await runDoctor(args, { stateDir, env: { HTTP_PROXY: `http://${proxy}` } });
  assert.equal(absent.find("proxy").detail, `requests go out through ${proxy}, which HTTP_PROXY names`);
  assert.equal(absent.find("names").status, "ok", "the proxy looks up the name");
  assert.match(
    absent.find("control").detail,
    /^The proxy 127\.0\.0\.1:\d+ of HTTP_PROXY: .*connection refused/,
  );
  assert.match(absent.find("control").advice ?? "", /check HTTP_PROXY/);
  assert.equal(absent.code, 1);
  const other = await runDoctor(args, { stateDir, env: { HTTP_PROXY: "socks5://10.0.0.1:1080" } });
  assert.equal(other.find("proxy").status, "fail");
  assert.match(other.find("proxy").detail, /HTTP_PROXY names a proxy of the kind socks5:/);
  assert.match(other.find("proxy").advice ?? "", /NO_PROXY/);
  assert.equal(other.find("control").status, "skip");
});

test("what this machine exposes now is looked at without being named", async () => {
  await using up = await startUp();
  await using service = await startEcho();
  const { stateDir } = up.place;
  await using exposed = await expose(up.place, service.port);
  const { code, find } = await runDoctor([], { stateDir });
  assert.match(find("target").detail, new RegExp(`^localhost:${service.port} takes connections`));
  assert.equal(code, 0);
  assert.ok(exposed.session);
});
