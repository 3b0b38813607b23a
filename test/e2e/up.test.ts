import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../fixtures/clients.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { until } from "../fixtures/within.ts";
import { relayMetrics } from "../fixtures/metrics.ts";

test("`rdv up --expose` serves several targets from one process", async () => {
  await using one = await startEcho();
  await using other = await startEcho();
  const targets = [one, other].map(({ port }) => `127.0.0.1:${port}`);
  await using up = await startUp(...targets.flatMap((target) => ["--expose", target]));
  const ready = [
    await up.rdv.event("ready", { command: "expose" }),
    await up.rdv.event("ready", { command: "expose" }),
  ];
  const ports = ready.map(({ address = "" }) => Number(address.split(":")[1]));
  assert.equal(new Set(ports).size, 2);
  for (const port of ports) assert.equal((await ask(port, "hello")).bytes.toString(), "hello");
  assert.deepEqual([one.spoken(), other.spoken()], [1, 1]);
});

test("relay and control plane answer health checks, and the metrics count a served client", async () => {
  await using echo = await startEcho();
  await using up = await startUp("--expose", `127.0.0.1:${echo.port}`);
  const { address = "" } = await up.rdv.event("ready", { command: "expose" });
  assert.equal((await ask(Number(address.split(":")[1]), "count me")).bytes.toString(), "count me");
  for (const url of [`${up.control}/healthz`, `http://${up.relay}/healthz`, `http://${up.relay}/readyz`])
    assert.equal((await fetch(url)).status, 200, url);
  await until(10_000, "the metrics name the pair's outcome", async () => {
    const metrics = await relayMetrics(up.relay);
    assert.ok(!metrics.includes(up.token));
    return /^rdv_\w+\{[^}]*outcome="closed"[^}]*\} 1$/m.test(metrics) ? true : undefined;
  });
});
