import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createIdentity, fingerprintOf } from "../../net/tls/certificate.ts";
import { ask, dial, readToEnd, servedWithin } from "../fixtures/clients.ts";
import { runRdv, startRdv } from "../fixtures/rdv.ts";
import type { Rdv } from "../fixtures/rdv.ts";
import { startRecorder } from "../fixtures/recorder.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { startEcho } from "../fixtures/services.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { until } from "../fixtures/within.ts";
import { relayMetrics } from "../fixtures/metrics.ts";

/** Where agents dial; somebody listens there on their way to 127.0.0.1. */
const onTheWay = "127.0.0.2";

/** An `rdv relay` with a certificate of the operator's, whose agents come by `onTheWay`. */
async function startTlsRelay(
  up: Up,
  stateDir: string,
): Promise<Rdv & { readonly port: number; readonly id: string }> {
  const { key, cert } = createIdentity();
  const [certFile, keyFile] = [join(stateDir, "cert.pem"), join(stateDir, "key.pem")];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  const [port = 0, from = 0] = up.place.spare;
  const where = ["--host", "127.0.0.1", "--public-host", onTheWay, "--port", String(port)];
  const rest = ["--region", "far", "--ports", `${from}-${from + 3}`];
  const tls = ["--tls-cert", certFile, "--tls-key", keyFile];
  const relay = startRdv(["relay", "--control", up.control, ...where, ...rest, ...tls], {
    stateDir,
    env: { RDV_TOKEN: up.token },
  });
  const ready = await relay.event("ready", { command: "relay" });
  assert.equal(ready["tls"], fingerprintOf(cert));
  return Object.assign(relay, { port, id: String(ready["id"]) });
}

async function pumpedPairs(port: number): Promise<Record<string, number>> {
  const text = await relayMetrics(`127.0.0.1:${port}`);
  const samples = text.matchAll(/^rdv_relay_pumped_pairs\{pump="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...samples].map(([, pump = "", count]) => [pump, Number(count)]));
}

test("an agent goes in TLS to a relay that has it: who listens on the way reads neither ticket nor service", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using state = await createTempDir();
  await using relay = await startTlsRelay(up, state.path);
  await using recorder = await startRecorder(onTheWay, relay.port);
  await using session = await expose(up.place, echo.port, "--region", "far");
  await servedWithin(10_000, session.port);
  const { bytes } = await ask(session.port, "a word for nobody else");
  assert.equal(bytes.toString(), "a word for nobody else");
  assert.ok(recorder.connections > 0, "the agent came this way");
  for (const direction of ["there", "back"] as const)
    assert.doesNotMatch(recorder.heard(direction), /Bearer|HTTP|a word for nobody else/);
  const client = await dial(session.port);
  await until(10_000, "a pair", async () => (await pumpedPairs(relay.port))["portable"] || undefined);
  client.destroy();
});

test("with --plain the kernel moves the bytes, and what is read on the way opens nothing", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using state = await createTempDir();
  await using relay = await startTlsRelay(up, state.path);
  await using recorder = await startRecorder(onTheWay, relay.port);
  await using session = await expose(up.place, echo.port, "--region", "far", "--plain");
  await servedWithin(10_000, session.port);
  const client = await dial(session.port);
  const pump = process.platform === "linux" ? "kernel" : "portable";
  await until(10_000, "a pair", async () => (await pumpedPairs(relay.port))[pump] || undefined);
  client.destroy();

  const [request] = /GET \/v1\/agent [\s\S]*?\r\n\r\n/.exec(recorder.heard("there")) ?? [];
  assert.match(request ?? "", /Authorization: Bearer \S+\r\nDPoP: \S+\r\n/);
  for (const captured of [request ?? "", (request ?? "").replace(/DPoP: .*\r\n/, "")]) {
    const thief = await dial(relay.port);
    const answer = readToEnd(thief);
    thief.write(captured);
    assert.match((await answer).bytes.toString(), /^HTTP\/1\.1 401 [\s\S]*"code":"proof_invalid"/);
    thief.destroy();
  }
});

test("an agent follows a relay that comes back with another key, once the operator has said so", async () => {
  await using echo = await startEcho();
  await using up = await startUp();
  await using state = await createTempDir();
  await using relay = await startTlsRelay(up, state.path);
  await using _way = await startRecorder(onTheWay, relay.port);
  await using session = await expose(up.place, echo.port, "--region", "far");
  await servedWithin(10_000, session.port);
  await relay.killHard();
  assert.equal((await runRdv(["relays", "rekey", relay.id], up.place)).code, 0);
  await using _again = await startTlsRelay(up, state.path);
  await servedWithin(20_000, session.port);
});
