import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { secureAsAgent, secureAsClient } from "../../../net/tls/end-to-end.ts";
import { createPortablePump } from "../../../net/portable-pump.ts";
import { limits } from "../../../protocol/limits.ts";
import { until } from "../../fixtures/within.ts";
import { createPattern } from "../pump/pattern.ts";
import { leg } from "../pump/rig.ts";
import { createWireMaker, gone, receive, send } from "../pump/sockets.ts";
import type { WireMaker } from "../pump/sockets.ts";
import { agentIdentity, always, clientIdentity, createSecuredMaker, none } from "./secured.ts";

const [up, down] = [createPattern(1), createPattern(2)];
const agentKey = agentIdentity.fingerprint;
const client = { identity: clientIdentity, signal: always };
const agent = { identity: agentIdentity, signal: always };

for (const layers of [1, 2])
  describe(`encryption from end to end, ${layers === 1 ? "over TCP" : "inside another encryption"}`, () => {
    let maker: Awaited<ReturnType<typeof createSecuredMaker>>;
    before(async () => void (maker = await createSecuredMaker()));
    after(async () => await maker[Symbol.asyncDispose]());

    test("an answer that begins after the question's end arrives whole, and both ends close", async () => {
      const pair = await maker.secured(layers);
      const question = receive(pair.agent, up);
      await send(pair.client, up, 3_000_000);
      assert.deepEqual(await question, { bytes: 3_000_000, end: "fin" });
      const answer = receive(pair.client, down);
      await send(pair.agent, down, 8_000_000);
      assert.deepEqual(await answer, { bytes: 8_000_000, end: "fin" });
      await Promise.all([gone(pair.below.client), gone(pair.below.agent)]);
    });

    test("a socket that is destroyed resets the other one", async () => {
      const pair = await maker.secured(layers);
      const got = receive(pair.agent, up);
      pair.client.write(up.bytes(0, 5));
      await once(pair.agent, "data");
      pair.client.destroy();
      assert.deepEqual(await got, { bytes: 5, end: "reset" });
    });

    test("a connection that is cut off below never looks like an end", async () => {
      const pair = await maker.secured(layers);
      const got = receive(pair.agent, up);
      pair.client.write(up.bytes(0, 5));
      await once(pair.agent, "data");
      pair.below.client.end();
      assert.deepEqual(await got, { bytes: 5, end: "reset" });
    });

    test("a reader that stops makes the writer wait", async () => {
      const pair = await maker.secured(layers);
      // Node's and the kernel's buffers of both ends together hold a few megabytes at most.
      const most = 64 * 1024 * 1024;
      let written = 0;
      const chunk = up.bytes(0, 65_521);
      const more = (): void => {
        while (written < most && pair.client.write(chunk)) written += chunk.length;
      };
      pair.client.on("drain", more);
      more();
      let before = -1;
      await until(10_000, "the writer waits", () => {
        const waits = written === before && pair.client.writableNeedDrain;
        before = written;
        return waits ? true : undefined;
      });
      assert.ok(written < most, `${written} bytes were taken`);
      assert.ok(pair.agent.readableLength <= 1024 * 1024);
      pair.client.off("drain", more).destroy();
      pair.agent.destroy();
    });

    test("a slow reader gets the last bytes of a connection that is over", async () => {
      const pair = await maker.secured(layers);
      pair.agent.resume();
      pair.client.end();
      await once(pair.agent, "end");
      pair.agent.end(down.bytes(0, 50_000));
      // Both directions have ended, and nothing of the answer was asked for yet.
      await once(pair.agent, "finish");
      await gone(pair.below.agent);
      assert.deepEqual(await receive(pair.client, down), { bytes: 50_000, end: "fin" });
    });

    test("a pump carries half-close and late answer between it and plain TCP", async () => {
      await using pump = createPortablePump();
      await using wires = await createWireMaker();
      const [pair, wire] = [await maker.secured(layers), await wires.wire()];
      const joined = pump.join(leg(pair.agent), leg(wire.inner));
      const question = receive(wire.outer, up);
      await send(pair.client, up, 2_000_000);
      assert.deepEqual(await question, { bytes: 2_000_000, end: "fin" });
      const answer = receive(pair.client, down);
      await send(wire.outer, down, 5_000_000);
      assert.deepEqual(await answer, { bytes: 5_000_000, end: "fin" });
      assert.deepEqual(await joined.done, { outcome: "closed", aToB: 2_000_000, bToA: 5_000_000 });
    });

    test("a pump carries a reset from either side", async () => {
      await using pump = createPortablePump();
      await using wires = await createWireMaker();
      for (const breaker of ["secured", "plain"] as const) {
        const [pair, wire] = [await maker.secured(layers), await wires.wire()];
        const joined = pump.join(leg(pair.agent), leg(wire.inner));
        const [near, far] = breaker === "secured" ? [pair.client, wire.outer] : [wire.outer, pair.client];
        const got = receive(far, up);
        near.write(up.bytes(0, 9));
        await once(far, "data");
        if (breaker === "plain") wire.outer.resetAndDestroy();
        else near.destroy();
        assert.deepEqual(await got, { bytes: 9, end: "reset" });
        assert.equal((await joined.done).outcome, breaker === "secured" ? "reset_by_a" : "reset_by_b");
      }
    });

    test("a pump that cuts while the other end does not read resets it", async () => {
      await using pump = createPortablePump();
      await using wires = await createWireMaker();
      const [pair, wire] = [await maker.secured(layers), await wires.wire()];
      const joined = pump.join(leg(pair.agent), leg(wire.inner));
      void send(wire.outer, down, 32 * 1024 * 1024, { end: false });
      await until(10_000, "bytes", () => (joined.counts().bToA > 0 ? true : undefined));
      joined.cut();
      assert.equal((await joined.done).outcome, "cut");
      assert.equal((await receive(pair.client, down)).end, "reset");
      await Promise.all([gone(pair.below.client), gone(pair.below.agent), gone(wire.outer)]);
    });
  });

describe("the handshake", () => {
  let maker: WireMaker;
  before(async () => void (maker = await createWireMaker()));
  after(async () => await maker[Symbol.asyncDispose]());

  /** Both ends of a connection; the errors of the one that is given away are nobody's. */
  async function wire(): Promise<{ outer: Socket; inner: Socket }> {
    const made = await maker.wire();
    made.inner.on("error", () => {});
    return made;
  }

  test("tells each end the other one's key, and takes bytes that were read before it", async () => {
    const { outer, inner } = await wire();
    const connecting = secureAsClient(outer, none, { ...client, agentKey });
    inner.resume();
    const [early] = (await once(inner, "data")) as [Buffer];
    inner.pause();
    const secured = await secureAsAgent(inner, early, agent);
    assert.equal(secured.clientKey, clientIdentity.fingerprint);
    const connected = await connecting;
    const got = receive(secured.socket, up);
    await send(connected, up, 100_000);
    assert.deepEqual(await got, { bytes: 100_000, end: "fin" });
    connected.resume();
    secured.socket.destroy();
  });

  test("a client that would resume an earlier connection proves its key anew", async () => {
    const { key, cert } = clientIdentity;
    const meet = async (
      session?: Buffer,
    ): Promise<{ readonly session: Buffer; readonly clientKey: string }> => {
      const { outer, inner } = await wire();
      const serving = secureAsAgent(inner, none, agent);
      const own = { key, cert, rejectUnauthorized: false, ALPNProtocols: ["rdv/1"] };
      const stranger = connect({ socket: outer, ...own, ...(session && { session }) });
      const offered = once(stranger, "session") as Promise<[Buffer]>; // Node's event of what can be resumed
      const served = await serving;
      served.socket.write("!");
      stranger.resume();
      const [next] = await offered;
      assert.equal(stranger.isSessionReused(), false);
      served.socket.destroy();
      stranger.destroy();
      await gone(inner);
      return { session: next, clientKey: served.clientKey };
    };
    const first = await meet();
    assert.equal((await meet(first.session)).clientKey, clientIdentity.fingerprint);
  });

  test("an agent with another key gets no byte, and both ends are gone", async () => {
    const { outer, inner } = await wire();
    const wrong = createIdentity();
    const served = secureAsAgent(inner, none, { ...agent, identity: wrong }).then(
      async ({ socket }) => await receive(socket, up),
      () => "refused" as const,
    );
    await assert.rejects(secureAsClient(outer, none, { ...client, agentKey }), {
      code: "untrusted",
      message: new RegExp(wrong.fingerprint),
    });
    const seen = await served;
    assert.ok(seen === "refused" || (seen.bytes === 0 && seen.end === "reset"), JSON.stringify(seen));
    await Promise.all([gone(outer), gone(inner)]);
  });

  test("a client with another key than the expected one is refused before it is served", async () => {
    const { outer, inner } = await wire();
    const connected = secureAsClient(outer, none, { ...client, agentKey });
    const expectClient = createIdentity().fingerprint;
    await assert.rejects(secureAsAgent(inner, none, { ...agent, expectClient }), { code: "untrusted" });
    const socket = await connected.catch(() => outer);
    await gone(socket);
    await gone(outer);
  });

  test("an agent says so when the client sends something else than encryption", async () => {
    const { outer, inner } = await wire();
    outer.write("SSH-2.0-test\r\n");
    await assert.rejects(secureAsAgent(inner, none, agent), { code: "untrusted", message: /--plain/ });
    await gone(outer);
  });

  test("a client says so when the agent sends something else than encryption", async () => {
    const { outer, inner } = await wire();
    inner.write("SSH-2.0-test\r\n");
    const refused = secureAsClient(outer, none, { ...client, agentKey });
    await assert.rejects(refused, { code: "untrusted", message: /--plain/ });
    inner.resume();
    await gone(inner);
  });

  test("both ends give up on one that is silent, or gone, or when they are told to", async () => {
    const attempts = [
      (socket: Socket, signal = always) => secureAsAgent(socket, none, { ...agent, signal, handshakeMs: 50 }),
      (socket: Socket, signal = always) =>
        secureAsClient(socket, none, { ...client, agentKey, signal, handshakeMs: 50 }),
    ];
    for (const attempt of attempts) {
      const silent = await wire();
      await assert.rejects(attempt(silent.inner), { code: "timeout" });
      const finished = await wire();
      finished.outer.end();
      await assert.rejects(attempt(finished.inner), { code: "unreachable" });
      const broken = await wire();
      broken.outer.resetAndDestroy();
      await assert.rejects(attempt(broken.inner), { code: "unreachable" });
      const told = await wire();
      const stop = new AbortController();
      const refused = attempt(told.inner, stop.signal);
      stop.abort();
      await assert.rejects(refused, { name: "AbortError" });
      const sockets = [silent, finished, broken, told].flatMap(({ inner, outer }) => [inner, outer]);
      await Promise.all(sockets.map(async (socket) => await gone(socket)));
    }
    assert.equal(limits.handshakeMs, 5_000, "the bound when nobody names one");
  });

  test("one altered bit ends the connection, and nothing of its record is delivered", async () => {
    const [left, right] = [await wire(), await wire()];
    // In between: everything passes as it is, until one bit is turned.
    let turn = false;
    right.inner.on("data", (chunk: Buffer) => void left.inner.write(chunk));
    left.inner.on("data", (chunk: Buffer) => {
      if (turn) chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 1;
      right.inner.write(chunk);
    });
    left.inner.resume();
    right.inner.resume();
    const [connected, { socket }] = await Promise.all([
      secureAsClient(left.outer, none, { ...client, agentKey }),
      secureAsAgent(right.outer, none, agent),
    ]);
    let delivered = "";
    socket.on("data", (chunk: Buffer) => (delivered += chunk.toString()));
    connected.write("whole");
    await once(socket, "data");
    turn = true;
    const failed = once(socket, "error") as Promise<[NodeJS.ErrnoException]>; // OpenSSL's errors have a code
    connected.write("altered");
    const [error] = await failed;
    assert.match(error.code ?? error.message, /DECRYPTION_FAILED_OR_BAD_RECORD_MAC/);
    assert.equal(delivered, "whole");
    connected.destroy();
    await Promise.all([gone(left.inner), gone(right.inner)]);
  });
});
