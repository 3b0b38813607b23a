import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { dialRelay } from "../../agent/relay-dial.ts";
import { localAddresses } from "../../net/direct/local-addresses.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import { formatHalfRequest } from "../../protocol/handshake.ts";
import { limits } from "../../protocol/limits.ts";
import { createHandshakeRate } from "../../relay-node/handshake-rate.ts";
import { gone } from "../net/pump/sockets.ts";
import { dialShared, readHalf, startBench, until } from "./harness.ts";
import type { Bench } from "./harness.ts";

const { burst, perSecond } = limits.handshakeRate;

test("a source may begin so many handshakes for nothing, then its rate, and others do not pay for it", () => {
  let clock = 0;
  const rate = createHandshakeRate(() => clock);
  const begun = (address: string, tries: number): number =>
    Array.from({ length: tries }, () => rate.begin(address)).filter(Boolean).length;
  assert.equal(begun("192.0.2.1", burst + 50), burst);
  assert.equal(begun("::ffff:192.0.2.1", 1), 0, "the same source");
  assert.equal(begun("192.0.2.2", 10), 10);
  assert.equal(begun("2001:db8::1", burst), burst);
  assert.equal(begun("2001:db8::2", 1), 0, "one subscriber");
  clock = 1_000;
  assert.equal(begun("192.0.2.1", burst), perSecond);
});

test("handshakes that good tickets follow are not counted, and loopback is not", () => {
  const rate = createHandshakeRate(() => 0);
  for (let next = 0; next < 3 * burst; next += 1) {
    assert.ok(rate.begin("192.0.2.1"));
    rate.wellSpent("192.0.2.1");
    assert.ok(rate.begin("127.0.0.1"));
  }
  // Nothing is saved up for later.
  for (let next = 0; next < 10; next += 1) rate.wellSpent("192.0.2.1");
  const begun = Array.from({ length: burst + 10 }, () => rate.begin("192.0.2.1"));
  assert.equal(begun.filter(Boolean).length, burst);
  rate.wellSpent("192.0.2.1");
  assert.ok(rate.begin("192.0.2.1"), "what was given back when nothing was left");
});

const [outside] = localAddresses().ipv4;
const needsAddress = { skip: outside === undefined ? "this machine has no address but loopback" : false };

test("a flood of handshakes from one source is refused by close and counted", needsAddress, async () => {
  const clock = { now: Date.now() };
  const tls = createIdentity();
  await using bench = await startBench({ tls, listenHost: "0.0.0.0", now: () => clock.now });
  await flood(bench, burst);
  await assert.rejects(dialOutside(bench), { code: "unreachable" });
  assert.equal(bench.relay.metrics().handshakesRefused, 1);
  // Who comes from this machine is not concerned, and the others are after a while no more.
  (await dialShared(bench)).destroy();
  clock.now += 1_000;
  for (let half = 0; half < perSecond + 5; half += 1) await meetOnce(bench);
});

async function dialOutside({ relay, tls }: Bench) {
  const signal = AbortSignal.timeout(10_000);
  return await dialRelay({ host: outside ?? "", sharedPort: relay.sharedPort, tls }, { signal });
}

/** An agent's half that is accepted and goes again. */
async function meetOnce(bench: Bench): Promise<void> {
  const socket = await dialOutside(bench);
  socket.write(formatHalfRequest("agent", "relay", await bench.ticket()));
  assert.equal((await readHalf(socket).answer()).type, "waiting");
  socket.destroy();
}

/** Begins as a handshake does, in a version of TLS that there is not. */
const noRecord = Buffer.of(0x16, 9, 9, 0, 5, 1, 0, 0, 1, 0);

/** So many handshakes that are begun for nothing. */
async function flood(bench: Bench, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect({ host: outside ?? "", port: bench.relay.sharedPort });
      return socket.on("error", () => {});
    });
    for (const socket of sockets) socket.resume().end(noRecord);
    await Promise.all(sockets.map(async (socket) => await gone(socket)));
  }
  await until(() => bench.relay.metrics().connections === 0, "nobody is left");
}
