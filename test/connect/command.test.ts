import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadIdentity } from "../../net/tls/load-identity.ts";
import { ask, dial, readToEnd } from "../fixtures/clients.ts";
import { runRdv, startPlainRdv, startRdv } from "../fixtures/rdv.ts";
import type { Rdv } from "../fixtures/rdv.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho, startService } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { within } from "../fixtures/within.ts";

let up: Up;
before(async () => void (up = await startUp()));
after(async () => await up[Symbol.asyncDispose]());

/** An agent of a private session; with a state directory of its own it is another machine of the same owner. */
async function expose(
  port: number,
  name: string,
  more: readonly string[] = [],
  stateDir = up.place.stateDir,
): Promise<AsyncDisposable & { rdv: Rdv; address: string }> {
  const env = { RDV_CONTROL: up.control, RDV_TOKEN: up.token };
  const args = ["expose", String(port), "--private", "--name", name, ...more];
  const rdv = startRdv(args, { stateDir, env });
  const { address = "" } = await rdv.event("ready");
  return { rdv, address, [Symbol.asyncDispose]: async () => await rdv[Symbol.asyncDispose]() };
}

const connect = async (session: string, input: string, ...more: readonly string[]) =>
  await runRdv(["connect", session, "--stdio", ...more], { ...up.place, input });

test("a local port serves many programs at once, and tells of each", async () => {
  await using echo = await startEcho();
  await using desk = await expose(echo.port, "many");
  await using client = startRdv(["connect", desk.address, "--local", "0", "--direct", "off"], up.place);
  const ready = await client.event("ready", { command: "connect", name: "many" });
  assert.equal(`many#${String(ready["agentKey"])}`, desk.address);
  const [host, port] = String(ready["local"]).split(":");
  assert.equal(host, "127.0.0.1");
  const open = await Promise.all(Array.from({ length: 30 }, async () => await dial(Number(port))));
  for (const [index, socket] of open.entries()) {
    socket.write(`program ${index}`);
    const [said] = (await once(socket, "data")) as [Buffer];
    assert.equal(said.toString(), `program ${index}`);
  }
  for (const socket of open) socket.end();
  await Promise.all(open.map(async (socket) => assert.equal((await readToEnd(socket)).how, "end")));
  await client.event("paired", { path: "relay" });
  for (let count = 0; count < 30; count += 1) {
    const closed = await client.event("closed", { outcome: "closed" });
    assert.equal(closed.bytesIn, closed.bytesOut);
  }
  client.interrupt();
  assert.equal(await client.exitCode(), 130);
});

test("the end of standard input is carried, and the answer that comes then is whole", async () => {
  await using service = await startService((socket) => {
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
    socket.on("end", () => socket.end(`${bytes} bytes\n${"x".repeat(3_000_000)}`));
  });
  await using desk = await expose(service.port, "late");
  const finished = await connect(desk.address, "y".repeat(2_000_000));
  assert.equal(finished.code, 0, finished.stderr);
  assert.equal(finished.stdout, `2000000 bytes\n${"x".repeat(3_000_000)}`);
});

test("a service that ends first closes standard output, and standard input still arrives", async () => {
  await using service = await startService((socket) => void socket.end("over"));
  await using desk = await expose(service.port, "early");
  await using client = startPlainRdv(["connect", desk.address, "--stdio"], { ...up.place, keepInput: true });
  const ended = once(client.stdout, "end");
  client.stdin.write("a");
  const socket = await service.connection();
  await within(20_000, ended, () => "the end of standard output");
  assert.equal(client.output().stdout, "over");
  const heard = readToEnd(socket);
  client.stdin.end("nd more");
  assert.equal((await heard).bytes.toString(), "and more");
  assert.deepEqual(await client.exited, { code: 0, signal: null });
});

test("a reset is an error, on standard input and output as at a local port", async () => {
  await using service = await startService((socket) => {
    socket.once("data", () => {
      socket.write("begun", () => socket.resetAndDestroy());
    });
  });
  await using desk = await expose(service.port, "broken");
  const finished = await connect(desk.address, "go");
  assert.equal(finished.code, 1);
  assert.match(finished.stderr, /^rdv: the connection was reset/m);
  await using client = startRdv(["connect", desk.address], up.place);
  const ready = await client.event("ready");
  const ending = await ask(Number(String(ready["local"]).split(":")[1]), "go");
  assert.equal(ending.how, "ECONNRESET");
  await client.event("closed", { outcome: "reset_by_agent" });
});

test("a reader of standard output that goes away ends the connection", async () => {
  await using service = await startService((socket) => {
    socket.on("data", () => socket.write("z".repeat(100_000)));
  });
  await using desk = await expose(service.port, "deaf");
  await using client = startPlainRdv(["connect", desk.address, "--stdio"], { ...up.place, keepInput: true });
  client.stdout.destroy();
  client.stdin.write("speak");
  const { code } = await within(20_000, client.exited, () => "the command's end");
  assert.equal(code, 1);
  await desk.rdv.event("closed", { outcome: "reset_by_client" });
});

test("an agent with another key than the named one gets no byte", async () => {
  await using echo = await startEcho();
  await using _desk = await expose(echo.port, "named");
  const finished = await connect(`named#${"A".repeat(43)}`, "secret");
  assert.deepEqual([finished.code, finished.stdout], [1, ""]);
  assert.match(finished.stderr, /has the key [\w-]{43}, not A{43}/);
  assert.equal(echo.accepted(), 0);
});

test("a key that was seen is remembered, and another one is refused until it is named", async () => {
  await using echo = await startEcho();
  await using other = await createTempDir();
  await using first = await expose(echo.port, "known");
  const seen = await connect("known", "hello");
  assert.deepEqual([seen.code, seen.stdout], [0, "hello"], seen.stderr);
  assert.match(seen.stderr, /seen for the first time/);
  const again = await connect("known", "hello");
  assert.deepEqual([again.code, again.stderr], [0, ""]);

  await using second = await expose(echo.port, "known", [], other.path);
  await first.rdv.event("replaced");
  const served = echo.accepted();
  const refused = await connect("known", "secret");
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /^rdv: the agent of known has another key than before/m);
  assert.equal(echo.accepted(), served);
  assert.equal((await connect(second.address, "hello")).code, 0);
  assert.equal((await connect("known", "hello")).code, 0);
  const known = await readFile(join(up.place.stateDir, "known-agents.json"), "utf8");
  assert.ok(known.includes(second.address.split("#")[1] ?? "no key"));
});

test("--client lets in the named machine's key alone, by relay and directly", async () => {
  await using echo = await startEcho();
  await using other = await createTempDir();
  const { fingerprint } = loadIdentity(join(other.path, "identity.pem"));
  await using desk = await expose(echo.port, "chosen", ["--client", fingerprint]);
  for (const direct of ["off", "only"]) {
    const refused = await connect(desk.address, "let me in", "--direct", direct);
    assert.deepEqual([refused.code, refused.stdout], [1, ""], direct);
  }
  assert.equal(echo.accepted(), 0, "the service is not dialled for others");
  const env = { RDV_CONTROL: up.control, RDV_TOKEN: up.token };
  const args = ["connect", desk.address, "--stdio"];
  const served = await runRdv(args, { stateDir: other.path, env, input: "it is me" });
  assert.deepEqual([served.code, served.stdout], [0, "it is me"], served.stderr);
});

test("--plain is for both ends or for none, and the client says so", async () => {
  await using echo = await startEcho();
  await using _plain = await expose(echo.port, "bare", ["--plain"]);
  await using _secured = await expose(echo.port, "sealed");
  const both = await connect("bare", "hello", "--plain");
  assert.deepEqual([both.code, both.stdout], [0, "hello"], both.stderr);
  const without = await connect("bare", "secret");
  assert.deepEqual([without.code, without.stdout], [1, ""]);
  assert.match(without.stderr, /has no key to encrypt from end to end.*--plain/);
  const alone = await connect("sealed", "hello", "--plain");
  assert.deepEqual([alone.code, alone.stdout], [1, ""]);
  assert.match(alone.stderr, /leave out --plain/);
  const named = await connect(`bare#${"A".repeat(43)}`, "hello", "--plain", "--direct", "off");
  assert.deepEqual([named.code, named.stdout], [0, "hello"], named.stderr);
  assert.match(named.stderr, /key is checked without relay alone/);
});

test("wrong usage is told in one line", async () => {
  for (const args of [
    ["connect", "a b"],
    ["connect", "desk#short"],
    ["connect", "desk", "--stdio", "--local", "2222"],
    ["ssh"],
    ["expose", "22", "--private", "--port", "2222"],
  ]) {
    const { code, stderr } = await runRdv(args, up.place);
    assert.deepEqual([code, stderr.trimEnd().split("\n").length], [2, 1], `${args.join(" ")}: ${stderr}`);
  }
});
