import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { createIdentity } from "../../../net/tls/certificate.ts";
import type { Identity } from "../../../net/tls/certificate.ts";
import { attack } from "../../fixtures/attack.ts";
import { skipVariants } from "../../join/variants.ts";
import { claimLines, startHostileControl } from "./hostile-control.ts";
import { listenOn } from "./hostile-relay.ts";
import { createTrap, startVictim } from "./victim.ts";
import type { Machine, Victim } from "./victim.ts";

interface SecureMachine extends Machine {
  readonly method: string;
}

const others = [{ name: "openssl" }];
const machines: readonly SecureMachine[] = [
  { method: "socat", shell: "dash", tool: { name: "socat" }, others },
  { method: "ncat", shell: "zsh", tool: { name: "ncat" }, others },
  { method: "nc", shell: "busybox", tool: { name: "nc", from: "busybox" }, others },
  { method: "nc", shell: "dash", tool: { name: "nc", from: "nc.openbsd" }, others },
  { method: "bash", shell: "bash", tool: { name: "bash" }, others },
];

const [relay, rogue] = [createIdentity(), createIdentity()];

attack(
  {
    point: 3,
    title: "somebody between a shell agent and the relay shows a certificate of another key",
    from: import.meta.url,
    options: { skip: skipVariants },
  },
  async () => {
    for (const machine of machines) {
      const heard: string[] = [];
      await using between = await listenOn(tlsServer(rogue, heard));
      await using victim = await joinAt(between.port, machine, relay.fingerprint);
      const { code } = await victim.ended(60_000);
      assert.equal(code, 1);
      await victim.unharmed();
      assert.match(victim.script.output().stderr, /shows another key than the invitation names/);
      assert.deepEqual(heard, [], "the ticket was not sent");
    }
    return { tries: machines.length, answer: "the script ends and says so; the ticket is not sent" };
  },
);

attack(
  {
    point: 3,
    title:
      "he lets the first connection through, which fetches the certificate, and shows his own on the next one",
    from: import.meta.url,
    options: { skip: skipVariants },
  },
  async () => {
    for (const machine of machines) {
      const heard: string[] = [];
      let connections = 0;
      const servers = [tlsServer(relay, heard), tlsServer(rogue, heard)];
      const switching = createServer((socket) => {
        connections += 1;
        servers[connections === 1 ? 0 : 1]?.emit("connection", socket);
      });
      await using between = await listenOn(switching);
      await using victim = await joinAt(between.port, machine, relay.fingerprint);
      const { code } = await victim.ended(60_000);
      assert.equal(code, 1);
      await victim.unharmed();
      assert.match(victim.script.output().stderr, /shows another key than the invitation names/);
      assert.deepEqual(heard, [], "the ticket was not sent");
    }
    return {
      tries: machines.length,
      answer: "the connection itself trusts that certificate alone; the script ends",
    };
  },
);

attack(
  {
    point: 3,
    title: "he speaks plain TCP where the claim names the key of a TLS relay",
    from: import.meta.url,
    options: { skip: skipVariants },
  },
  async () => {
    for (const machine of machines) {
      const heard: string[] = [];
      await using plain = await listenOn(plainServer(heard));
      await using victim = await joinAt(plain.port, machine, relay.fingerprint);
      await victim.script.says("is away (it speaks no TLS)", 60_000);
      await victim.unharmed();
      assert.ok(
        heard.every((text) => !text.includes("Bearer")),
        "the ticket was not sent",
      );
    }
    return { tries: machines.length, answer: "no half is made in plain TCP" };
  },
);

attack(
  {
    point: 3,
    title:
      "the answer to a claim leaves out the relay's key, after the screen said that the way is encrypted",
    from: import.meta.url,
    options: { skip: skipVariants },
  },
  async () => {
    for (const machine of machines) {
      const heard: string[] = [];
      await using plain = await listenOn(plainServer(heard));
      await using victim = await joinAt(plain.port, machine, "");
      const { code } = await victim.ended(60_000);
      assert.equal(code, 1);
      assert.match(
        victim.script.output().stderr,
        /relay {2}in TLS.*the relay has no TLS, against what was agreed to/s,
      );
      assert.deepEqual(heard, []);
    }
    return { tries: machines.length, answer: "the script ends before it dials" };
  },
);

attack(
  {
    point: 3,
    title: "an agent that cannot speak TLS sends its ticket and its bytes in the clear, and nobody was told",
    from: import.meta.url,
    options: { skip: skipVariants },
  },
  async () => {
    const bare = machines.map((machine) => ({ ...machine, others: [] }));
    for (const machine of bare) {
      await using control = await startHostileControl({ relayTls: true });
      await using trap = await createTrap();
      const env = { RDV_METHOD: machine.method };
      await using victim = await startVictim(control.url, machine, trap, { env });
      await victim.ended(60_000);
      const said = `relay  in plain TCP, not encrypted: ${machine.method} cannot encrypt it here\n`;
      assert.ok(victim.script.output().stderr.includes(said), victim.script.output().stderr);
    }
    return {
      tries: bare.length,
      answer: "the screen that asks for consent says that this way is not encrypted, and why",
    };
  },
);

/** A TLS 1.3 server with this key; `heard` gets what comes inside. */
function tlsServer({ key, cert }: Identity, heard: string[]): Server {
  const server = createTlsServer({ key, cert, minVersion: "TLSv1.3" }, (socket) => listenTo(socket, heard));
  return server.on("tlsClientError", () => {}); // It does not trust us.
}

function plainServer(heard: string[]): Server {
  return createServer((socket) => listenTo(socket, heard));
}

function listenTo(socket: Socket, heard: string[]): void {
  socket.on("data", (chunk: Buffer) => {
    heard.push(chunk.toString("latin1"));
    socket.destroy();
  });
  socket.on("error", () => {});
}

async function joinAt(port: number, machine: SecureMachine, tls: string): Promise<Victim> {
  await using held = new AsyncDisposableStack();
  const trap = held.use(await createTrap());
  const claim = claimLines(port, { tls });
  const lies = { relayTls: true, claim: (response: { end(text: string): void }) => response.end(claim) };
  const control = held.use(await startHostileControl(lies));
  const victim = held.use(
    await startVictim(control.url, machine, trap, { env: { RDV_METHOD: machine.method } }),
  );
  const stack = held.move();
  return { ...victim, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}
