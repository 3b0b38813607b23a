import assert from "node:assert/strict";
import { test } from "node:test";
import { createPortablePump } from "../../../net/portable-pump.ts";
import type { JoinOptions } from "../../../net/pump.ts";
import { within } from "../../fixtures/within.ts";
import { createSecuredMaker } from "../tls/secured.ts";
import { leg } from "./rig.ts";
import { createWireMaker, gone } from "./sockets.ts";

/** A pair of a TCP leg whose peer has finished, and a TLS leg whose peer takes nothing: the last record cannot go out. */
async function joinStuck(options: JoinOptions) {
  await using stack = new AsyncDisposableStack();
  const pump = stack.use(createPortablePump());
  const tcp = await stack.use(await createWireMaker()).wire();
  const { agent, below } = await stack.use(await createSecuredMaker()).secured();
  below.client.pause();
  agent.write(Buffer.alloc(32 * 1024 * 1024));
  const joined = pump.join(leg(tcp.inner, undefined, true), leg(agent), options);
  const held = stack.move();
  return { joined, sockets: [tcp.inner, agent], [Symbol.asyncDispose]: async () => held.disposeAsync() };
}

test("an end that its reader never takes is a stall", async () => {
  await using pair = await joinStuck({ stallMs: 200, halfClosedMs: 60_000 });
  const { outcome } = await within(20_000, pair.joined.done, () => "the end of a pair that is stuck");
  assert.equal(outcome, "stalled");
});

test("a pair whose end is stuck can be cut, and gives both sockets back", async () => {
  await using pair = await joinStuck({ stallMs: 60_000, halfClosedMs: 60_000 });
  await new Promise((resolve) => setImmediate(resolve));
  pair.joined.cut();
  const { outcome } = await within(20_000, pair.joined.done, () => "the end of a pair that was cut");
  assert.equal(outcome, "cut");
  await within(1_000, Promise.all(pair.sockets.map(gone)), () => "two closed sockets");
});
