import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { readCertificate } from "../../../net/tls/read-certificate.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { runOk } from "../../fixtures/processes.ts";
import { requireTool, skipWithout } from "../../fixtures/tools.ts";

async function pemFiles(folder: string, cert: string, key: string): Promise<readonly [string, string]> {
  const paths = [join(folder, "cert.pem"), join(folder, "key.pem")] as const;
  await writeFile(paths[0], cert);
  await writeFile(paths[1], key);
  return paths;
}

test("a certificate with its chain and its key are read, and named by the key", async () => {
  await using folder = await createTempDir();
  const [own, issuer] = [createIdentity(), createIdentity()];
  const paths = await pemFiles(folder.path, own.cert + issuer.cert, own.key);
  const { identity, warning } = readCertificate(...paths);
  assert.deepEqual(identity, { ...own, cert: own.cert + issuer.cert });
  assert.equal(warning, undefined);
});

test("what is missing, is no PEM or does not belong together is said with its file", async () => {
  await using folder = await createTempDir();
  const [own, other] = [createIdentity(), createIdentity()];
  const [cert, key] = await pemFiles(folder.path, own.cert, own.key);
  const missing = join(folder.path, "missing.pem");
  const says = (message: RegExp): object => ({ name: "RdvError", code: "usage", message });
  assert.throws(
    () => readCertificate(missing, key),
    says(/Cannot read .*missing\.pem: there is no such file/),
  );
  assert.throws(
    () => readCertificate(cert, missing),
    says(/Cannot read .*missing\.pem: there is no such file/),
  );
  assert.throws(() => readCertificate(key, key), says(/key\.pem does not hold a certificate in PEM/));
  assert.throws(() => readCertificate(cert, cert), says(/cert\.pem does not hold a private key/));
  const swapped = await pemFiles(folder.path, other.cert + own.cert, own.key);
  assert.throws(() => readCertificate(...swapped), says(/key\.pem is not that of the first certificate/));
});

test("a certificate that is out of its time is taken with a warning", needsOpenssl(), async () => {
  await using folder = await createTempDir();
  const [cert, key] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=relay", "-days", "1"];
  await runOk(requireTool("openssl"), [...request, "-keyout", key, "-out", cert]);
  const tomorrow = Date.now() + 2 * 86_400_000;
  assert.equal(readCertificate(cert, key).warning, undefined);
  assert.match(
    readCertificate(cert, key, tomorrow).warning ?? "",
    /cert\.pem has expired on 20\d\d-\d\d-\d\d/,
  );
  assert.match(readCertificate(cert, key, 0).warning ?? "", /cert\.pem is valid from 20\d\d-\d\d-\d\d on/);
});

function needsOpenssl(): { skip: string | false } {
  return { skip: skipWithout("openssl") };
}
