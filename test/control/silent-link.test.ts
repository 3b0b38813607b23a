import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../protocol/limits.ts";
import { createSecrets } from "./control-under-test.ts";
import { randomFrom } from "./random.ts";
import { createSimulation } from "./simulation.ts";

test("a relay's link that never says hello is closed, also one that pings", async () => {
  const control = createSimulation(await createSecrets(), randomFrom(1));
  const link = await control.connect("RELAYS", "r_00000001", "/v1/relays/r_00000001/link");
  for (let passed = 0; passed < limits.deadAfterMs; passed += limits.heartbeatMs) {
    assert.ok(link.isOpen);
    await link.send({ type: "ping" });
    await control.advance(limits.heartbeatMs);
  }
  assert.ok(!link.isOpen);
});
