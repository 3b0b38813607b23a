import assert from "node:assert/strict";
import { attack } from "../../fixtures/attack.ts";
import { metricsToken, relayMetrics } from "../../fixtures/metrics.ts";
import { startRdv } from "../../fixtures/rdv.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const from = import.meta.url;
const args = ["up", "--control-port", "0", "--relay-port", "0", "--metrics-port", "0"];

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.status;
}

attack(
  { point: 16, title: "reads the metrics of a relay or a control plane without their token", from },
  async () => {
    await using dir = await createTempDir();
    await using up = startRdv(args, { stateDir: dir.path });
    const ready = await up.event("ready", { command: "up" });
    const {
      control = "",
      relay = "",
      metrics,
    } = ready as { control?: string; relay?: string; metrics?: unknown };
    assert.ok(typeof metrics === "string");
    const wrong = [
      "",
      "Bearer",
      "Bearer x",
      `Bearer ${metricsToken}x`,
      `Basic ${metricsToken}`,
      metricsToken,
    ];
    const asked = [`http://${relay}/metrics`, `${control}/metrics`];
    for (const url of asked)
      for (const authorization of wrong)
        assert.equal(await statusOf(url, authorization ? { authorization } : {}), 401);
    const own = await (await fetch(metrics)).text();
    assert.match(own, /^rdv_relay_info\{/m);
    assert.match(own, /^rdv_control_guesses_total\{/m);
    assert.match(await relayMetrics(relay), /^rdv_relay_info\{/m);
    assert.equal(await statusOf(metrics.replace("/metrics", "/")), 404);
    return {
      tries: asked.length * wrong.length,
      answer: "401 without the right token; loopback has a port of its own",
    };
  },
);

attack({ point: 16, title: "finds the metrics of a relay whose operator gave no token", from }, async () => {
  await using dir = await createTempDir();
  await using up = startRdv(args, { stateDir: dir.path, env: { RDV_METRICS_TOKEN: "" } });
  const { relay = "" } = await up.event("ready", { command: "up" });
  const tokens = ["", "undefined", "null", metricsToken];
  for (const token of tokens)
    assert.equal(await statusOf(`http://${relay}/metrics`, { authorization: `Bearer ${token}` }), 401);
  return { tries: tokens.length, answer: "nobody is answered on the shared port" };
});
