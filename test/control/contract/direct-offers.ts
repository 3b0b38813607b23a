import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DirectAnswer, DirectOffer } from "../../../protocol/connect.ts";
import { limits } from "../../../protocol/limits.ts";
import type { SessionSignal } from "../../../protocol/signals.ts";
import { adminToken } from "../control-under-test.ts";
import type { Peer } from "../peers.ts";
import { refuses, shows } from "./rig.ts";
import type { Rig } from "./rig.ts";

const ours: DirectOffer["candidates"] = [
  { kind: "mapped", address: "198.51.100.7", port: 40_000, listens: false },
  { kind: "host", address: "2001:db8::7", port: 40_000, listens: true },
];
const theirs: DirectAnswer = {
  type: "candidates",
  candidates: [{ kind: "mapped", address: "203.0.113.9", port: 50_000, listens: false }],
};

/** Offers to meet without relay: from a client to the agent, and the answer back. */
export function describeDirectOffers(rig: Rig): void {
  let offers = 0;
  const newOffer = (): DirectOffer => {
    offers += 1;
    return { offer: String(offers).padStart(22, "o"), key: "k".repeat(43), candidates: ours };
  };
  const answer = (agent: Peer<SessionSignal>, offer: string, said: DirectAnswer): void =>
    agent.send(JSON.stringify({ type: "direct", offer, answer: said }));

  describe("direct offers", () => {
    test("an offer goes to the agent as it is, and its answer comes back; both are counted once", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create({ private: true });
      await using agent = await rig.agentOf(session);
      await agent.next();
      const before = await counts(rig);
      const offer = newOffer();
      const answered = rig.api().offerDirect(session.name, offer);
      assert.deepEqual(await agent.next(), { type: "direct", offer: offer.offer, from: offer });
      answer(agent, offer.offer, theirs);
      assert.deepEqual(await answered, theirs);
      answer(agent, offer.offer, { type: "no", reason: "off" });
      for (let times = 0; times < 3; times += 1)
        agent.send(JSON.stringify({ type: "path", offer: offer.offer, outcome: "opened" }));
      agent.send(JSON.stringify({ type: "path", offer: "x".repeat(22), outcome: "refused" }));
      agent.send('{"type":"ping"}');
      assert.deepEqual(await agent.next(), { type: "pong" });
      assert.deepEqual(await rig.api().offerDirect(session.id, offer), theirs, "the first answer holds");
      const after = await shows(async () => {
        const now = await counts(rig);
        return now("direct", "opened") > before("direct", "opened") && now;
      });
      assert.equal(after("direct", "opened") - before("direct", "opened"), 1);
      assert.equal(after("direct", "refused"), before("direct", "refused"));
      assert.equal(after("offers", "candidates") - before("offers", "candidates"), 1);
      assert.equal(after("offers", "off"), before("offers", "off"));
    });

    test("a session with limits that only relays can keep asks its agent nothing", async () => {
      await using relay = await rig.newRelay();
      const limited = [{ once: true }, { pairs: 2 }, { bytes: 1_000 }, { connectsPerSecond: 1 }] as const;
      for (const limit of [...limited, { allow: ["192.0.2.0/24"] }]) {
        const session = await relay.create(limit);
        await using agent = await rig.agentOf(session);
        await agent.next();
        const answer = await rig.api().offerDirect(session.id, newOffer());
        assert.deepEqual(answer, { type: "no", reason: "limited" });
      }
    });

    test("an answer that is lost, late, repeated or for another session changes nothing", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create({ name: "asked" });
      const other = await relay.create({ name: "not-asked" });
      await using agent = await rig.agentOf(session);
      await using stranger = await rig.agentOf(other);
      await agent.next();
      await stranger.next();
      const offer = newOffer();
      const started = Date.now();
      const answered = rig.api().offerDirect(session.id, offer);
      await agent.next();
      answer(stranger, offer.offer, theirs);
      assert.deepEqual(await answered, { type: "no", reason: "old" });
      assert.ok(Date.now() - started >= limits.directAnswerMs - 50, "the agent had its time");
      answer(agent, offer.offer, theirs);
      const second = newOffer();
      const again = rig.api().offerDirect(session.id, second);
      assert.equal((await agent.next()).type, "direct");
      answer(agent, second.offer, { type: "no", reason: "none" });
      answer(agent, second.offer, theirs);
      assert.deepEqual(await again, { type: "no", reason: "none" });
    });

    test("an older agent's answer is nobody's, and who waited for it is told that it has gone", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create();
      const older = await rig.agentOf(session);
      await older.next();
      const replaced = rig.api().offerDirect(session.id, newOffer());
      await older.next();
      const refused = refuses(replaced, "no_agent");
      await using newer = await rig.agentOf(session);
      await newer.next();
      await refused;
      const lost = rig.api().offerDirect(session.id, newOffer());
      await newer.next();
      const gone = refuses(lost, "no_agent");
      newer.kill();
      await gone;
    });

    test("without an agent, or without a session, there is nobody to meet", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create();
      await refuses(rig.api().offerDirect(session.id, newOffer()), "no_agent");
      await refuses(rig.api().offerDirect("never-was", newOffer()), "not_found");
      await using agent = await rig.agentOf(session);
      await agent.next();
      await refuses(rig.apiOf(rig.bobToken()).offerDirect(session.id, newOffer()), "not_found");
      const waiting = refuses(rig.api().offerDirect(session.id, newOffer()), "no_agent");
      await agent.next();
      await rig.api().endSession(session.id);
      await waiting;
      await refuses(rig.api().offerDirect(session.id, newOffer()), "ended");
      const invited = await rig.api().createInvitation({
        target: "localhost:22",
        inviter: "Anna",
        region: relay.region,
      });
      assert.deepEqual(await rig.api().offerDirect(invited.session.id, newOffer()), {
        type: "no",
        reason: "old",
      });
    });

    test("more offers than an agent should get are turned away at once", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create();
      await using agent = await rig.agentOf(session);
      await agent.next();
      const many = Array.from({ length: limits.offerRate.burst * 3 }, newOffer);
      const answers = await Promise.all(
        many.map(async (offer) => await rig.api().offerDirect(session.id, offer)),
      );
      const busy = answers.filter((one) => one.type === "no" && one.reason === "busy").length;
      const old = answers.filter((one) => one.type === "no" && one.reason === "old").length;
      assert.equal(busy + old, many.length);
      assert.ok(old >= limits.offerRate.burst && busy > 0, `${old} passed on, ${busy} busy`);
    });

    test("an offer must be well formed and small", async () => {
      await using relay = await rig.newRelay();
      const session = await relay.create();
      const [candidate] = ours;
      assert.ok(candidate);
      for (const wrong of [
        { offer: "short" },
        { key: "short" },
        { candidates: Array.from({ length: limits.candidates + 1 }, () => candidate) },
        { candidates: [{ ...candidate, address: "example.org" }] },
        { candidates: [{ ...candidate, port: 0 }] },
      ])
        await refuses(rig.api().offerDirect(session.id, { ...newOffer(), ...wrong }), "bad_request");
    });
  });
}

type CountOf = (what: "offers" | "direct", label: string) => number;

/** The operator's counters. */
async function counts(rig: Rig): Promise<CountOf> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const text = await (await fetch(`${rig.url()}/metrics`, { headers })).text();
  return (what, label) => {
    const line = new RegExp(`^rdv_control_${what}_total\\{\\w+="${label}"\\} (\\d+)$`, "m").exec(text);
    assert.ok(line, `${what} ${label} is counted`);
    return Number(line[1]);
  };
}
