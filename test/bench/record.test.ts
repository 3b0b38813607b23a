import assert from "node:assert/strict";
import { test } from "node:test";
import { describeMachine } from "../../bench/machine.ts";
import { kinds } from "../../bench/model.ts";
import type { Kind } from "../../bench/model.ts";
import { allPeers } from "../../bench/peers/all-peers.ts";
import { createPortPicker } from "../../bench/peers/ports.ts";
import { filesOf } from "../../bench/record.ts";
import { createResults } from "../../bench/results.ts";
import { allScenarios } from "../../bench/scenarios/all-scenarios.ts";

function filesWith(...measured: readonly (readonly [Kind, string])[]): Map<string, string> {
  const results = createResults();
  for (const [kind, peer] of measured)
    results.add(kind, peer, { measure: "throughput", unit: "Gbit/s", column: "1 up", value: 1 });
  const peers = ["socat", "TLS leg"].map((name) => ({ name, installed: true, version: "1" }) as const);
  const record = {
    begun: new Date(0),
    machine: describeMachine(),
    loadAfter: 1,
    rounds: 1,
    quick: false,
    peers: [...peers, { name: "frp", installed: false, reason: "frpc is not on the PATH" } as const],
    figures: [],
    problems: [],
    series: results.series(),
  };
  return new Map(filesOf(record, "headline"));
}

test("modes have a file of their own, and measuring them alone leaves the others as they are", () => {
  assert.deepEqual([...filesWith(["modes", "TLS leg"]).keys()], ["modes.json"]);
  assert.deepEqual([...filesWith(["hop", "socat"]).keys()], ["latest.json", "chart.svg"]);
});

test("no row of one file is in the other", () => {
  const files = filesWith(["hop", "socat"], ["modes", "TLS leg"]);
  assert.match(files.get("modes.json") ?? "", /"peer": "TLS leg"/);
  assert.doesNotMatch(files.get("modes.json") ?? "", /socat/);
  assert.match(files.get("latest.json") ?? "", /frpc is not on the PATH/);
  assert.doesNotMatch(files.get("latest.json") ?? "", /TLS leg/);
});

test("every name can stand in --only: none is taken twice, and none has a comma", () => {
  const things = [...allPeers(createPortPicker()), ...allScenarios].map(({ name }) => name);
  const names = [...things, ...kinds];
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    names.filter((name) => name.includes(",")),
    [],
  );
});
