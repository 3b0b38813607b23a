import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runDoctor } from "../doctor/run-doctor.ts";
import type { Diagnosis } from "../doctor/run-doctor.ts";
import { createNetwork, skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Machine, NatKind } from "../fixtures/network.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool } from "../fixtures/tools.ts";

const skip = skipWithoutNamespaces();
const controlPort = 8787;
const relayPort = 8788;

interface Place extends AsyncDisposable {
  readonly machine: Machine;
  readonly stateDir: string;
  /** Runs the doctor on the machine behind the NAT. */
  readonly diagnose: (...args: readonly string[]) => Promise<Diagnosis>;
}

/** A machine behind a NAT, and two machines with relays, of which one has the control plane. */
async function openPlace(kind: NatKind): Promise<Place> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const { internet } = held.use(await createNetwork());
  const [server, second] = [await internet.host(), await internet.host()];
  const machine = await (await internet.nat(kind)).host();
  const ports = ["--ports", "20000-20009"];
  const up = held.use(
    startRdv(["up", "--host", server.address, ...ports], {
      prefix: server.prefix,
      stateDir: join(folder, "up"),
    }),
  );
  const { token = "", control = "" } = await up.event("ready", { command: "up" });
  const env = { RDV_TOKEN: token, RDV_CONTROL: control };
  const place = ["--region", "far", "--host", second.address, "--public-host", second.address];
  const relay = held.use(
    startRdv(["relay", ...place, ...ports], { prefix: second.prefix, stateDir: join(folder, "relay"), env }),
  );
  await relay.event("ready", { command: "relay" });
  const stateDir = join(folder, "machine");
  const stack = held.move();
  return {
    machine,
    stateDir,
    diagnose: async (...args) => await runDoctor(args, { stateDir, env, prefix: machine.prefix, ms: 60_000 }),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

for (const [kind, status, words] of [
  ["symmetric", "warn", /^a symmetric NAT \(RFC 4787: address and port-dependent mapping\)/],
  ["port-restricted", "ok", /RFC 4787: endpoint-independent mapping.*a direct path is possible$/],
] as const)
  test(`the doctor behind a NAT of the kind ${kind} says what it is: ${status}`, { skip }, async () => {
    await using place = await openPlace(kind);
    const { code, find, checks } = await place.diagnose();
    assert.equal(find("nat").status, status, JSON.stringify(checks));
    assert.match(find("nat").detail, words);
    if (status === "warn")
      assert.match(find("nat").advice ?? "", /go through a relay, which needs nothing else/);
    assert.equal(code, 0);
    const tls = checks.filter(({ name }) => name === "relay-tls");
    assert.equal(tls.length, 2);
    for (const { detail } of tls) assert.match(detail, /TLSv1\.3 with the right key/);
  });

test("a name server that does not answer is named as what keeps everything waiting", { skip }, async () => {
  await using dir = await createTempDir();
  await using network = await createNetwork();
  const [silent, machine] = [await network.internet.host(), await network.internet.host()];
  await silent.iptables("-A INPUT -p udp --dport 53 -j DROP");
  const resolver = join(dir.path, "resolv.conf");
  await writeFile(resolver, `nameserver ${silent.address}\n`);
  const begin = `mount --bind ${resolver} /etc/resolv.conf && exec "$@"`;
  const prefix = [...machine.prefix, requireTool("unshare"), "--mount", "sh", "-c", begin, "sh"];
  const args = ["--control", "https://rdv.example.test"];
  const { code, find } = await runDoctor(args, { stateDir: dir.path, prefix, ms: 60_000 });
  assert.equal(find("names").detail, "rdv.example.test: no answer of the resolver within 5 s");
  assert.match(find("names").advice ?? "", /whether a firewall lets port 53 through/);
  assert.equal(find("control").status, "skip");
  assert.equal(code, 1);
});

test(
  "a firewall that drops packets is told apart from a port that is closed, at each place",
  { skip },
  async () => {
    await using place = await openPlace("port-restricted");
    const drop = (port: number): string => `OUTPUT -o ${uplink} -p tcp --dport ${port} -j DROP`;
    await place.machine.iptables(`-A ${drop(relayPort)}`);
    const relays = await place.diagnose();
    const connects = relays.checks.filter(({ name }) => name === "relay-connect");
    assert.deepEqual(
      connects.map(({ status }) => status),
      ["fail", "fail"],
    );
    assert.match(connects[0]?.detail ?? "", /No answer from .* within 5000 ms/);
    assert.match(connects[0]?.advice ?? "", /something drops packets to port 8788/);
    assert.equal(relays.find("nat").status, "skip");
    assert.equal(relays.code, 1);

    await place.machine.iptables(`-A ${drop(controlPort)}`);
    const control = await place.diagnose();
    assert.match(control.find("control").detail, /no answer within 5 s/);
    assert.match(control.find("control").advice ?? "", /packets are dropped on the way/);
    assert.equal(control.code, 1);
  },
);
