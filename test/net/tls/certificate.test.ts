import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { createIdentity, fingerprintOf } from "../../../net/tls/certificate.ts";
import { loadIdentity } from "../../../net/tls/load-identity.ts";
import { runOk } from "../../fixtures/processes.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { requireTool } from "../../fixtures/tools.ts";

test("openssl reads and verifies the certificate, and finds the same fingerprint", async () => {
  await using dir = await createTempDir();
  const { cert, fingerprint } = createIdentity();
  const path = join(dir.path, "cert.pem");
  writeFileSync(path, cert);
  const openssl = requireTool("openssl");
  assert.match(await runOk(openssl, ["verify", "-CAfile", path, path]), /: OK/);
  const text = await runOk(openssl, ["x509", "-in", path, "-noout", "-text"]);
  assert.match(text, /Not After : Dec 31 23:59:59 9999 GMT/);
  assert.match(text, /ecdsa-with-SHA256[\s\S]*prime256v1/);
  const pipeline = `${openssl} x509 -in ${path} -noout -pubkey | ${openssl} pkey -pubin -outform DER | ${openssl} dgst -sha256 -binary | base64`;
  const hash = (await runOk("sh", ["-c", pipeline])).trim();
  assert.equal(hash.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""), fingerprint);
});

test("a TLS 1.3 server shows the key that its fingerprint names", async () => {
  const identity = createIdentity();
  const server = createServer({ ...identity, minVersion: "TLSv1.3" }, (socket) => socket.end("hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const client = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(client, "secureConnect");
  assert.equal(client.getProtocol(), "TLSv1.3");
  assert.equal(fingerprintOf(client.getPeerCertificate().raw), identity.fingerprint);
  client.destroy();
  server.close();
});

test("an identity is made once, for its owner alone, and a damaged file is told", async () => {
  await using dir = await createTempDir();
  const path = join(dir.path, "state", "identity.pem");
  const made = loadIdentity(path);
  assert.deepEqual(loadIdentity(path), made);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileSync(path, "nonsense");
  assert.throws(() => loadIdentity(path), { code: "failed", message: /move it away/ });
});
