import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { proveAsAgent, proveAsClient } from "../../../net/direct/prove-keys.ts";
import { readExactly } from "../../../net/direct/read-exactly.ts";
import { createIdentity } from "../../../net/tls/certificate.ts";

const agent = createIdentity();
const client = createIdentity();
const stranger = createIdentity();
const never = new AbortController().signal;

test("both sides prove their keys, and the bytes that follow are the service's", async () => {
  await using wire = await openWire();
  const asAgent = proveAsAgent(wire.agent, { identity: agent, expect: client.fingerprint, ...same });
  await proveAsClient(wire.client, { identity: client, expect: agent.fingerprint, ...same });
  wire.client.write("hello");
  await asAgent;
  assert.equal((await readExactly(wire.agent, 5, never)).toString(), "hello");
  wire.agent.write("welcome");
  assert.equal((await readExactly(wire.client, 7, never)).toString(), "welcome");
});

test("a client with another key gets not one byte", async () => {
  await using wire = await openWire();
  const asAgent = proveAsAgent(wire.agent, { identity: agent, expect: client.fingerprint, ...same });
  const asClient = proveAsClient(wire.client, { identity: stranger, expect: agent.fingerprint, ...same });
  await assert.rejects(asAgent, { code: "untrusted" });
  assert.equal(wire.agent.bytesWritten, 0);
  wire.agent.destroy();
  await assert.rejects(asClient, /ended/);
});

test("an agent with another key is refused", async () => {
  await using wire = await openWire();
  const asAgent = proveAsAgent(wire.agent, { identity: stranger, expect: client.fingerprint, ...same });
  const asClient = proveAsClient(wire.client, { identity: client, expect: agent.fingerprint, ...same });
  await assert.rejects(asClient, { code: "untrusted" });
  wire.client.destroy();
  await assert.rejects(asAgent, /ended/);
});

test("who repeats what a client once said is refused, because the agent's random number is new", async () => {
  const { hello, signature } = await record();
  await using wire = await openWire();
  const asAgent = proveAsAgent(wire.agent, { identity: agent, expect: client.fingerprint, ...same });
  wire.client.write(Buffer.concat([hello, signature]));
  await assert.rejects(asAgent, { code: "untrusted" });
});

test("a proof of one attempt is none for another", async () => {
  await using wire = await openWire();
  const asAgent = proveAsAgent(wire.agent, { identity: agent, expect: client.fingerprint, ...same });
  const other = { ...same, context: "another offer" };
  const asClient = proveAsClient(wire.client, { identity: client, expect: agent.fingerprint, ...other });
  await assert.rejects(asClient, { code: "untrusted" });
  wire.client.destroy();
  await assert.rejects(asAgent, /ended/);
});

test("a side that falls silent is given up when the caller says so", async () => {
  await using wire = await openWire();
  const stop = new AbortController();
  const asAgent = proveAsAgent(wire.agent, {
    identity: agent,
    expect: client.fingerprint,
    ...same,
    signal: stop.signal,
  });
  stop.abort(new Error("time is up"));
  await assert.rejects(asAgent, /time is up/);
});

const same = { context: "an offer", signal: never };

/** Everything that a client says to the right agent. */
async function record(): Promise<{ hello: Buffer; signature: Buffer }> {
  await using outer = await openWire();
  await using inner = await openWire();
  const asAgent = proveAsAgent(inner.agent, { identity: agent, expect: client.fingerprint, ...same });
  const asClient = proveAsClient(outer.client, { identity: client, expect: agent.fingerprint, ...same });
  const hello = await readExactly(outer.agent, 8 + 32 + 91, never);
  inner.client.write(hello);
  outer.agent.write(await readExactly(inner.client, 32 + 91 + 64, never));
  await asClient;
  const signature = await readExactly(outer.agent, 64, never);
  inner.client.write(signature);
  await asAgent;
  return { hello, signature };
}

interface Wire extends AsyncDisposable {
  readonly client: Socket;
  readonly agent: Socket;
}

async function openWire(): Promise<Wire> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const dialled = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [taken] = (await accepted) as [Socket];
  for (const socket of [dialled, taken]) socket.on("error", () => {});
  return {
    client: dialled,
    agent: taken,
    [Symbol.asyncDispose]: async () => {
      dialled.destroy();
      taken.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
