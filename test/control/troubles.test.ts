import assert from "node:assert/strict";
import { test } from "node:test";
import { agentLost, linkLost, verdict, wellAgain } from "../../control/troubles.ts";
import { limits } from "../../protocol/limits.ts";

const relay = "r_00000001";
const start = 1_800_000_000_000;

test("a lost link alone moves nothing: the agent is asked", () => {
  assert.equal(verdict([], relay, start), "stay");
  assert.equal(verdict(linkLost([], relay, start), relay, start), "ask_agent");
  assert.equal(verdict(linkLost([], relay, start), "r_00000002", start), "stay");
});

test("a lost link and the agent's fresh word move the session, in either order", () => {
  assert.equal(verdict(agentLost(linkLost([], relay, start), relay, start + 1), relay, start + 1), "move");
  assert.equal(
    verdict(linkLost(agentLost([], relay, start), relay, start + 8_000), relay, start + 8_000),
    "move",
  );
});

test("an old word of the agent proves nothing when the link is lost later", () => {
  const troubles = linkLost(agentLost([], relay, start), relay, start + 20_000);
  assert.equal(verdict(troubles, relay, start + 20_000), "ask_agent");
});

test("an agent that says for limits.relayUnreachableMs that it cannot reach a linked relay gets another", () => {
  let troubles = agentLost([], relay, start);
  for (let at = 5_000; at < limits.relayUnreachableMs; at += 5_000) {
    troubles = agentLost(troubles, relay, start + at);
    assert.equal(verdict(troubles, relay, start + at), "stay");
  }
  const at = start + limits.relayUnreachableMs;
  assert.equal(verdict(agentLost(troubles, relay, at), relay, at), "move");
});

test("words that are far apart are no outage that goes on", () => {
  const later = start + 10 * limits.relayUnreachableMs;
  const troubles = agentLost(agentLost([], relay, start), relay, later);
  assert.equal(verdict(troubles, relay, later), "stay");
});

test("a relay that is back has no troubles, and repeated news change nothing", () => {
  const once = linkLost([], relay, start);
  assert.deepEqual(linkLost(once, relay, start + 5_000), once);
  assert.deepEqual(wellAgain(once, relay), []);
});
